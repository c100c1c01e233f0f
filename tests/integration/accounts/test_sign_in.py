import asyncio
import time

import pytest
from argon2 import PasswordHasher
from portal_world import BASE, PASSWORD, Product, text_of

from device_gateway.accounts import passwords
from device_gateway.accounts.account import BadAccount

REFUSED = "do not go together"


async def events(product: Product, space: object) -> list[tuple[str, str, str | None]]:
    rows = product.owner("SELECT event, outcome, reason FROM gateway.journal WHERE space_id = %s ORDER BY n", space)
    return [(row.event, row.outcome, row.reason) for row in rows]


async def test_a_script_that_sends_name_and_password_gets_a_session(product: Product) -> None:
    patient = product.patient()
    browser = await product.browser()
    answer = await browser.post("/login", data={"username": patient.username.upper(), "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    home = await browser.get("/")
    assert home.status_code == 200
    assert "Hello Camille Martin" in text_of(home.text)
    assert await events(product, patient.account.subject) == [
        ("portal:session:open", "permit", None), ("portal:reading:read", "permit", None)
    ]  # fmt: skip


async def test_the_database_holds_only_a_hash_of_the_cookie(product: Product) -> None:
    patient = product.patient()
    browser = await product.signed_in(patient.username)
    (row,) = product.owner("SELECT hash, csrf_token FROM gateway.session")
    cookie = browser.cookies["session"]
    assert cookie.encode() not in bytes(row.hash)
    assert len(row.hash) == 32
    assert row.csrf_token != cookie


async def test_with_https_the_cookie_is_secure_and_bound_to_the_host(owner_url: str, app_url: str) -> None:
    product = Product(owner_url, app_url)
    product.app.state.settings = product.settings.model_copy(update={"public_url": "https://gateway.example"})
    async with product:
        patient = product.patient()
        browser = await product.browser()
        answer = await browser.post("/login", data={"username": patient.username, "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-session=")
        assert "Secure" in cookie
        assert "Path=/" in cookie


async def test_unknown_user_and_wrong_password_get_the_same_answer(product: Product) -> None:
    patient = product.patient(language="en")
    pages = []
    for username in (patient.username, "nobody.here"):
        browser = await product.browser(**{"accept-language": "en"})
        answer = await browser.post("/login", data={"username": username, "password": "wrong password"})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        pages.append(answer.text.replace(username, "…"))
    assert pages[0] == pages[1]
    assert REFUSED in pages[0]


async def test_an_unknown_user_takes_as_long_as_a_known_one(
    product: Product, quick_passwords: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_HASHER", quick_passwords)  # the one that people's passwords are kept with
    passwords.nobodys_hash.cache_clear()
    patient = product.patient()
    browser = await product.browser()

    async def seconds(username: str) -> float:
        best = 9.0
        for _ in range(3):
            started = time.process_time()  # of this process alone, whatever else the machine does
            await browser.post("/login", data={"username": username, "password": "wrong password"})
            best = min(best, time.process_time() - started)
        return best

    await seconds("warm.up")
    known, unknown = await seconds(patient.username), await seconds("nobody.here")
    passwords.nobodys_hash.cache_clear()
    assert unknown > known / 2  # without the same hash it would be a tenth


async def test_a_failure_is_told_in_the_patients_journal(product: Product) -> None:
    patient = product.patient()
    browser = await product.browser()
    await browser.post("/login", data={"username": patient.username, "password": "wrong password"})
    assert await events(product, patient.account.subject) == [("portal:session:refuse", "deny", "password")]


async def test_after_five_wrong_passwords_even_the_right_one_must_wait(product: Product) -> None:
    patient = product.patient()
    browser = await product.browser()
    for _ in range(5):
        await browser.post("/login", data={"username": patient.username, "password": "wrong password"})
    right = {"username": patient.username, "password": PASSWORD}
    assert (await browser.post("/login", data=right)).status_code == 401
    product.owner("UPDATE gateway.account SET not_before = now() - interval '1 second'")
    assert (await browser.post("/login", data=right)).status_code == 303
    (row,) = product.owner("SELECT failures FROM gateway.account WHERE username = %s", patient.username)
    assert row.failures == 0


async def test_tries_made_together_do_not_overtake_the_throttle(product: Product) -> None:
    patient = product.patient()
    browser = await product.browser()
    tries = [
        browser.post("/login", data={"username": patient.username, "password": f"guess {n} guess"}) for n in range(12)
    ]
    await asyncio.gather(*tries)
    reasons = [reason for _, _, reason in await events(product, patient.account.subject)]
    assert len(reasons) == 12
    assert "waiting" in reasons


async def test_a_form_from_another_site_is_refused(product: Product) -> None:
    patient = product.patient()
    data = {"username": patient.username, "password": PASSWORD}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        browser = await product.browser(**headers)
        assert (await browser.post("/login", data=data)).status_code == 403
    for headers in ({"origin": BASE}, {"sec-fetch-site": "same-origin", "origin": BASE}):
        browser = await product.browser(**headers)
        assert (await browser.post("/login", data=data)).status_code == 303


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", ""])
async def test_sign_in_leads_to_our_own_pages_only(product: Product, target: str) -> None:
    patient = product.patient()
    browser = await product.browser()
    data = {"username": patient.username, "password": PASSWORD, "next": target}
    assert (await browser.post("/login", data=data)).headers["location"] == "/"


async def test_sign_in_goes_on_to_the_page_that_was_asked_for(product: Product) -> None:
    patient = product.patient()
    browser = await product.browser()
    asked = await browser.get("/journal?kind=app")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Fjournal%3Fkind%3Dapp")
    page = await browser.get(asked.headers["location"])
    assert 'name="next" value="/journal?kind=app"' in page.text
    data = {"username": patient.username, "password": PASSWORD}
    answer = await browser.post(asked.headers["location"], data=data)
    assert answer.headers["location"] == "/journal?kind=app"
    assert (await browser.get("/login")).status_code == 303


async def test_signing_in_again_ends_the_former_session_and_fixes_none(product: Product) -> None:
    patient = product.patient()
    browser = await product.signed_in(patient.username)
    former = browser.cookies["session"]
    await browser.post("/login", data={"username": patient.username, "password": PASSWORD})
    assert browser.cookies["session"] != former
    stale = await product.browser(cookie=f"session={former}")
    assert (await stale.get("/devices")).status_code == 303


async def test_signing_out_needs_the_token_and_ends_the_session(product: Product) -> None:
    patient = product.patient()
    browser = await product.signed_in(patient.username)
    cookie = browser.cookies["session"]
    assert (await browser.post("/logout", data={"csrf_token": "guess"})).status_code == 403
    (row,) = product.owner("SELECT csrf_token FROM gateway.session")
    answer = await browser.post("/logout", data={"csrf_token": row.csrf_token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    stale = await product.browser(cookie=f"session={cookie}")
    assert (await stale.get("/")).status_code == 303
    assert product.owner("SELECT hash FROM gateway.session") == []


async def test_an_expired_session_is_none(product: Product) -> None:
    patient = product.patient()
    browser = await product.signed_in(patient.username)
    product.owner("UPDATE gateway.session SET expires_at = now() - interval '1 second'")
    assert (await browser.get("/")).headers["location"].startswith("/login")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"username=a&password=%FF", "application/x-www-form-urlencoded", 400),
        (b"username=a%00&password=b", "application/x-www-form-urlencoded", 400),
        (b"username=a&username=b&password=c", "application/x-www-form-urlencoded", 400),
        ("username=é".encode(), "application/x-www-form-urlencoded", 400),
        (b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"&".join(b"a%d=1" % n for n in range(200)), "application/x-www-form-urlencoded", 400),
        (b'{"username": "a"}', "application/json", 415),
        (b"", "application/x-www-form-urlencoded", 401),
    ],
)
async def test_a_broken_form_is_refused_and_never_a_fault_of_ours(
    product: Product, body: bytes, kind: str, status: int
) -> None:
    browser = await product.browser()
    assert (await browser.post("/login", content=body, headers={"content-type": kind})).status_code == status


async def test_vendors_and_reviewers_land_on_the_catalogue(product: Product) -> None:
    for kind in ("vendor", "reviewer", "operator", "professional"):
        product.account(kind, f"a.{kind}")
        browser = await product.signed_in(f"a.{kind}")
        assert (await browser.get("/")).headers["location"] == "/catalogue"
        assert (await browser.get("/devices")).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [{"username": "No Spaces"}, {"password": "short"}, {"zone": "GMT+4"}, {"display_name": " "}, {"language": "de"}],
)
def test_an_account_that_cannot_be_is_refused_with_the_reason(
    owner_url: str, app_url: str, changes: dict[str, str]
) -> None:
    from device_gateway.accounts import create_account
    from device_gateway.database.pool import connect

    fields = {
        "username": "ana", "kind": "patient", "password": PASSWORD, "display_name": "Ana", "language": "fr",
        "zone": "Europe/Paris", **changes,
    }  # fmt: skip
    with connect(owner_url, "gateway_owner") as connection:
        with pytest.raises(BadAccount):
            create_account(connection, **fields)  # type: ignore[arg-type]
        row = connection.execute("SELECT count(*) AS spaces FROM gateway.space").fetchone()
        assert row is not None
        assert row.spaces == 0


def test_a_user_name_is_given_once(owner_url: str, app_url: str) -> None:
    product = Product(owner_url, app_url)
    product.account("vendor", "ana")
    with pytest.raises(BadAccount):
        product.account("patient", "Ana")
