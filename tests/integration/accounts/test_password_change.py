import re
from datetime import UTC, datetime

from portal_world import PASSWORD, Product, field, text_of

NEW = "four words made up"


async def change(product: Product, browser: object, **changes: str) -> object:
    page = await browser.get("/settings")  # type: ignore[attr-defined]
    form = {"csrf_token": field(page.text, "csrf_token"), "current": PASSWORD, "new": NEW, "again": NEW, **changes}
    return await browser.post("/settings/password", data=form)  # type: ignore[attr-defined]


async def test_a_new_password_ends_other_sessions_and_what_apps_were_granted(product: Product) -> None:
    patient = product.patient()
    here, elsewhere = await product.signed_in(patient.username), await product.signed_in(patient.username)
    app = await product.online_app()
    await product.connect_app(here, app, "weight")
    answer = await change(product, here)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings?done=password")  # type: ignore[attr-defined]
    assert (await here.get("/settings")).status_code == 200
    assert (await elsewhere.get("/settings")).status_code == 303
    (grant,) = product.owner("SELECT revoked_at FROM catalogue.access_grant")
    assert grant.revoked_at is not None
    names = [row.event for row in product.owner(
        "SELECT event FROM gateway.journal WHERE space_id = %s ORDER BY n", patient.account.subject
    )]  # fmt: skip
    assert names[-2:] == ["oauth:grant:revoke", "portal:password:change"]
    fresh = await product.browser()
    old = await fresh.post("/login", data={"username": patient.username, "password": PASSWORD})
    new = await fresh.post("/login", data={"username": patient.username, "password": NEW})
    assert (old.status_code, new.status_code) == (401, 303)


async def test_a_new_password_ends_the_access_keys_of_its_person(product: Product) -> None:
    product.account("reviewer", "rita")
    browser, here = await product.signed_in("rita"), "/catalogue/review/keys"
    token = field((await browser.get(here)).text, "csrf_token")
    form = {"name": "desk", "may": "read", "ends_on": f"{datetime.now(UTC):%Y-%m-%d}", "csrf_token": token}
    made = await browser.post(here, data=form)
    key = {"Authorization": f"Bearer {re.findall('appcat_[0-9a-f]{64}', made.text)[0]}"}
    program = await product.browser(**key)
    assert (await program.get("/api/catalogue/review/applications")).json()["total"] == 0
    assert (await change(product, browser)).status_code == 303  # type: ignore[attr-defined]
    assert (await program.get("/api/catalogue/review/applications")).status_code == 401
    assert "its maker was changed" in text_of((await browser.get(here)).text)


async def test_a_wrong_short_or_mistyped_password_changes_nothing_and_is_said_beside_the_field(
    product: Product,
) -> None:
    patient = product.patient()
    browser = await product.signed_in(patient.username)
    for changes, text in (
        ({"current": "wrong password"}, "not your current password"),
        ({"new": "short", "again": "short"}, "12 to 256 characters"),
        ({"again": "something else"}, "not the same"),
    ):
        answer = await change(product, browser, **changes)
        assert answer.status_code == 422  # type: ignore[attr-defined]
        assert text in text_of(answer.text)  # type: ignore[attr-defined]
    assert (await browser.post("/settings/password", data={"csrf_token": "x"})).status_code == 403
    await product.signed_in(patient.username)


async def test_a_stolen_session_cannot_guess_the_password_without_being_slowed(product: Product) -> None:
    patient = product.patient()
    browser = await product.signed_in(patient.username)
    for _ in range(5):
        await change(product, browser, current="wrong password")
    assert (await change(product, browser)).status_code == 422  # type: ignore[attr-defined]
    (row,) = product.owner("SELECT failures FROM gateway.account WHERE username = %s", patient.username)
    assert row.failures >= 5
