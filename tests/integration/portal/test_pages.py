import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from portal_world import Patient, Product, field, lived_in, text_of

from device_gateway.devices.claim_codes import make_claim_code

PATIENT_PAGES = [
    "/",
    "/devices",
    "/devices/new",
    "/devices/import",
    "/devices/inbox",
    "/devices/join",
    "/apps",
    "/journal",
    "/journal/check",
    "/settings",
    "/latest",
]


async def home(product: Product, **changes: Any) -> tuple[Patient, Any]:
    patient = product.patient(**changes)
    return patient, await product.signed_in(patient.username)


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u00a0", " ")


async def test_every_page_keeps_to_itself(product: Product) -> None:
    _, browser = await home(product)
    for path in [*PATIENT_PAGES, "/nothing-here", "/catalogue"]:
        page = await browser.get(path)
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cache-control"] == "no-store"
        assert "referrer-policy" in page.headers
        assert not re.search(r"<[^>]+\son\w+=|<[^>]+\sstyle=|<script(?![^>]*\ssrc=)", page.text)


async def test_without_a_session_every_page_leads_to_sign_in(product: Product) -> None:
    browser = await product.browser()
    for path in PATIENT_PAGES:
        page = await browser.get(path)
        assert page.status_code == 303
        assert page.headers["location"].startswith("/login?next=")
    assert (await browser.get("/latest", headers={"hx-request": "true"})).status_code == 401


async def test_every_form_needs_the_token_of_the_session(product: Product) -> None:
    patient, browser = await home(product)
    hub = lived_in(patient.space, product.owner_url, days=2)
    app = await product.online_app()
    await product.connect_app(browser, app, "weight")
    for path in (
        f"/devices/{hub}/remove", f"/devices/{hub}/rename", "/devices/new", f"/apps/{app}/disconnect",
        f"/apps/{app}/withdraw", "/settings/zone", "/settings/password", "/language",
        f"/apps/{app}/end", f"/apps/{app}/version", "/settings/mail", "/settings/mail/code", "/settings/birth-date",
    ):  # fmt: skip
        for token in ({}, {"csrf_token": "x"}, {"csrf_token": "é"}):
            answer = await browser.post(path, data={"language": "fr", "name": "X", **token})
            assert answer.status_code == 403, path
    assert len(product.owner("SELECT name FROM gateway.device_holding WHERE upper_inf(during)")) == 4


async def test_home_shows_the_newest_value_of_each_metric_with_its_digits_and_its_device(product: Product) -> None:
    patient, browser = await home(product, language="fr")
    scale = patient.space.device("dg-scale")
    now = datetime.now(UTC).replace(microsecond=0)
    patient.space.put("body-weight", "73.15", (now - timedelta(days=2)).isoformat(), device=scale)
    patient.space.put("body-weight", "72.40", (now - timedelta(hours=1)).isoformat(), device=scale)
    patient.space.put("blood-glucose", "5.60", (now - timedelta(hours=2)).isoformat(), unit="mmol/L", device=scale)
    patient.space.put("blood-pressure", {"systolic": "121", "diastolic": "79"}, now.isoformat(), device=scale)
    text = plain(text_of((await browser.get("/")).text))
    assert "Poids 72,40 kg" in text
    assert "Glycémie 5,60 mmol/L = 101 mg/dL" in text
    assert "Tension artérielle 121/79 mmHg" in text
    assert "Ana's own thing" in text
    assert "2 mesures, entre 72,40 et 73,15 kg." in text


async def test_another_patients_readings_are_not_there(product: Product) -> None:
    ana, _ = await home(product)
    ana.space.put("body-weight", "99.90", datetime.now(UTC).isoformat())
    _, browser = await home(product)
    text = text_of((await browser.get("/")).text)
    assert "99.90" not in text
    assert "Nothing measured yet" in text


async def test_a_sensors_curve_stays_small_and_its_table_goes_by_days(product: Product) -> None:
    patient, browser = await home(product)
    sensor = patient.space.device("dg-cgm")
    start = datetime.now(UTC) - timedelta(days=30)
    patient.space.fill("interstitial-glucose", sensor, start.isoformat(), "5 minutes", 30 * 288)
    for days in (1, 7, 30, 90):
        page = await browser.get(f"/?glucose={days}")
        assert page.status_code == 200
        assert len(page.text) < 150_000
        assert 'class="target"' in page.text
        if days > 1:
            assert "Lowest" in text_of(page.text)
    assert (await browser.get("/?glucose=nonsense&weight=-1")).status_code == 200


async def test_a_sensors_days_are_laid_over_one_another_and_its_silences_told(product: Product) -> None:
    patient, browser = await home(product)
    empty = await browser.get("/glucose-profile")
    assert "No sensor reading in this time." in text_of(empty.text)
    sensor = patient.space.device("dg-cgm")
    start = datetime.now(UTC) - timedelta(days=20)
    patient.space.fill("interstitial-glucose", sensor, start.isoformat(), "5 minutes", 10 * 288)
    patient.space.fill("interstitial-glucose", sensor, (start + timedelta(days=11)).isoformat(), "5 minutes", 5 * 288)
    assert 'href="/glucose-profile"' in (await browser.get("/")).text
    page = await browser.get("/glucose-profile?days=30")
    assert page.text.count('class="band inner"') == 2, "one for wide screens and one for narrow ones"
    assert len(page.text) < 60_000
    text = text_of(page.text)
    assert "3 times for more than 45 minutes" in text, "before it began, on the day without, and since it ended"
    assert "24 hours" in text
    assert "The middle value is lowest at" in text
    rows = [row for row in patient.space.journal() if row.event == "portal:reading:read"]
    assert len(rows) == 1


async def test_years_are_shown_by_their_means(product: Product) -> None:
    patient, browser = await home(product)
    sensor = patient.space.device("dg-cgm")
    start = datetime.now(UTC) - timedelta(days=360)
    patient.space.fill("interstitial-glucose", sensor, start.isoformat(), "2 hours", 12 * 360)
    page = await browser.get("/?glucose=365&weight=1826")
    assert "Week from" in page.text
    assert 50 < page.text.count('<tr><th scope="row">') < 60


async def test_looking_is_journalled_once_an_hour_with_how_many_and_never_which_value(product: Product) -> None:
    patient, browser = await home(product)
    patient.space.put("body-weight", "72.40", datetime.now(UTC).isoformat())
    await browser.get("/")
    await browser.get("/")
    await browser.get("/latest", headers={"hx-request": "true"})
    rows = [row for row in patient.space.journal() if row.event == "portal:reading:read"]
    assert [(row.quantity, row.details) for row in rows] == [(2, {"metrics": ["body-weight"]})]


async def test_devices_tell_how_they_are(product: Product) -> None:
    patient, browser = await home(product)
    lived_in(patient.space, product.owner_url, days=2)
    text = text_of((await browser.get("/devices")).text)
    for expected in (
        "Mon lecteur", "Bluetooth glucose meter · through Salon", "Heard 7 minutes ago", "Battery 12%",
        "Its clock is 6 minutes fast", "2 measurements wait for an answer", "4 stored", "120 already known",
        "1 rejected", "Carries Mon lecteur", "C0:FF:EE:12:34:56", "Battery 81%",
    ):  # fmt: skip
        assert expected in text


async def test_a_device_is_renamed_and_a_wrong_name_is_kept_in_the_field(product: Product) -> None:
    patient, browser = await home(product)
    hub = lived_in(patient.space, product.owner_url, days=1)
    page = await browser.get(f"/devices/{hub}/rename")
    token = field(page.text, "csrf_token")
    wrong = await browser.post(f"/devices/{hub}/rename", data={"csrf_token": token, "name": "x" * 61})
    assert wrong.status_code == 422
    assert f'value="{"x" * 61}"' in wrong.text
    await browser.post(f"/devices/{hub}/rename", data={"csrf_token": token, "name": "<b>Cuisine</b>"})
    page = await browser.get("/devices?done=renamed")
    assert "&lt;b&gt;Cuisine&lt;/b&gt;" in page.text
    assert "<b>Cuisine" not in page.text


async def test_removing_asks_first_keeps_the_history_and_is_done_once(product: Product) -> None:
    patient, browser = await home(product)
    hub = lived_in(patient.space, product.owner_url, days=2)
    page = await browser.get(f"/devices/{hub}/remove")
    assert "1 device reaches us through it" in text_of(page.text)
    token = {"csrf_token": field(page.text, "csrf_token")}
    for _ in range(2):
        answer = await browser.post(f"/devices/{hub}/remove", data=token)
        assert answer.headers["location"] == "/devices?done=removed"
    assert "Salon" not in text_of((await browser.get("/devices")).text)
    assert "“Salon”" in text_of((await browser.get("/journal")).text)
    assert len(product.owner("SELECT kind FROM gateway.job")) == 1


async def test_ids_of_another_space_look_absent(product: Product) -> None:
    ana, with_ana = await home(product)
    hub = lived_in(ana.space, product.owner_url, days=1)
    app = await product.online_app()
    await product.connect_app(with_ana, app, "weight")
    _, browser = await home(product)
    token = {"csrf_token": field((await browser.get("/settings")).text, "csrf_token")}
    for path in (f"/devices/{hub}/remove", f"/devices/{hub}/rename", f"/apps/{app}/disconnect"):
        assert (await browser.get(path)).status_code == 404
    await browser.post(f"/devices/{hub}/remove", data=token)
    assert (await browser.post(f"/devices/{hub}/rename", data={**token, "name": "X"})).status_code == 404
    assert (await browser.post(f"/apps/{app}/disconnect", data=token)).status_code == 404
    assert len(product.owner("SELECT name FROM gateway.device_holding WHERE upper_inf(during)")) == 4
    assert (await browser.get("/devices/not-a-uuid/remove")).status_code in (404, 422)


async def make_code(browser: Any, **changes: str) -> Any:
    page = await browser.get("/devices/new")
    form = {
        "csrf_token": field(page.text, "csrf_token"), "model": "dg-scale", "name": "Balance",
        "since": datetime.now(UTC).date().isoformat(), **changes,
    }  # fmt: skip
    return await browser.post("/devices/new", data=form)


async def test_a_code_is_made_shown_once_and_the_page_says_when_it_was_used(product: Product) -> None:
    _patient, browser = await home(product)
    page = await make_code(browser)
    assert page.status_code == 201
    code = re.search(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", text_of(page.text))
    assert code
    assert "<svg" in page.text
    assert "Valid for another 15 minutes" in text_of(page.text)
    waiting = re.search(r'hx-get="(/devices/new/waiting/\d+)"', page.text)
    assert waiting
    assert "Valid for another" in (await browser.get(waiting[1])).text
    _, stranger = await home(product)
    assert (await stranger.get(waiting[1])).status_code == 404
    claim = await browser.post("/api/devices/claim", json={"claim_code": code[0], "model": "dg-scale"})
    assert claim.status_code == 201
    assert "Paired" in (await browser.get(waiting[1])).text
    assert "Balance" in text_of((await browser.get("/devices")).text)
    assert "“Balance” was paired" in text_of((await browser.get("/journal")).text)
    assert (await browser.get("/devices/new/waiting/99999999999999999999999")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"model": "toaster"}, "Choose a model from the list"),
        ({"name": ""}, "1 to 60 characters"),
        ({"since": "2999-01-01"}, "not in the future"),
        ({"since": "soon"}, "not in the future"),
        ({"since": "0001-01-01"}, "not in the future"),
        ({"model": "ble-glucose", "hub": "", "hardware_id": "C0:FF:EE:12:34:56"}, "Pair that first"),
    ],
)
async def test_what_is_wrong_is_said_beside_the_field_and_the_rest_is_kept(
    product: Product, changes: dict[str, str], text: str
) -> None:
    _, browser = await home(product)
    page = await make_code(browser, **changes)
    assert page.status_code == 422
    assert text in text_of(page.text)
    assert 'aria-invalid="true"' in page.text
    if "name" not in changes:
        assert 'value="Balance"' in page.text


async def test_a_meter_is_attached_by_its_address_to_the_patients_own_edge_only(product: Product) -> None:
    patient, browser = await home(product)
    edge = lived_in(patient.space, product.owner_url, days=1)
    meter = {"model": "ble-glucose", "name": "Lecteur 2", "hub": str(edge), "hardware_id": "aa:bb:cc:dd:ee:01"}
    assert (await make_code(browser, **meter)).headers["location"] == "/devices?done=attached"
    (row,) = product.owner("SELECT * FROM gateway.device WHERE hardware_id = 'AA:BB:CC:DD:EE:01'")
    assert row.parent_id == edge
    _, stranger = await home(product)
    assert (await make_code(stranger, **meter)).status_code == 422
    wrong = await make_code(browser, **{**meter, "hardware_id": "nonsense"})
    assert "looks like AA:BB:CC:DD:EE:FF" in text_of(wrong.text)


async def test_a_purpose_is_taken_back_and_the_last_one_asks_whether_to_disconnect(product: Product) -> None:
    _patient, browser = await home(product)
    app = await product.online_app()
    await product.connect_app(browser, app, "weight", "glucose")
    page = await browser.get("/apps")
    assert re.search("Reads: [^.]*Body weight", text_of(page.text)), text_of(page.text)
    token = {"csrf_token": field(page.text, "csrf_token")}
    unknown = await browser.post(f"/apps/{app}/withdraw", data={**token, "purpose": "nonsense"})
    assert unknown.status_code == 404
    first = await browser.post(f"/apps/{app}/withdraw", data={**token, "purpose": "weight"})
    assert first.headers["location"] == "/apps?done=withdrawn"
    text = text_of((await browser.get("/apps")).text)
    assert "Purpose glucose" in text
    assert "Purpose weight not agreed to" in text
    last = await browser.post(f"/apps/{app}/withdraw", data={**token, "purpose": "glucose"})
    assert last.headers["location"] == f"/apps/{app}/disconnect?last=yes"
    asked = text_of((await browser.get(last.headers["location"])).text)
    assert "This is the last purpose that you agree to for this app" in asked
    assert "Purpose glucose" in text_of((await browser.get("/apps")).text), "nothing is taken back before the answer"
    await browser.post(f"/apps/{app}/disconnect", data=token)
    assert "No app is connected" in text_of((await browser.get("/apps")).text)
    journal = text_of((await browser.get("/journal")).text)
    assert "You took back what you had allowed Glyco+: Purpose weight." in journal
    assert "You disconnected Glyco+: its access ended at once." in journal


async def test_disconnecting_asks_first_and_ends_every_grant(product: Product) -> None:
    _patient, browser = await home(product)
    app = await product.online_app()
    await product.connect_app(browser, app, "weight", "glucose")
    page = await browser.get(f"/apps/{app}/disconnect")
    assert "Its access ends at once" in text_of(page.text)
    answer = await browser.post(f"/apps/{app}/disconnect", data={"csrf_token": field(page.text, "csrf_token")})
    assert answer.headers["location"] == "/apps?done=disconnected"
    assert all(row.revoked_at for row in product.owner("SELECT revoked_at FROM catalogue.access_grant"))


async def test_the_language_is_the_accounts_and_else_the_browsers_and_else_french(product: Product) -> None:
    visitor = await product.browser()
    assert '<html lang="fr">' in (await visitor.get("/login")).text
    english = await product.browser(**{"accept-language": "de, en-GB;q=0.8, fr;q=0.5"})
    assert '<html lang="en">' in (await english.get("/login")).text
    await visitor.post("/language", data={"language": "en", "next": "/login"})
    assert '<html lang="en">' in (await visitor.get("/login")).text
    _, browser = await home(product, language="en")
    token = field((await browser.get("/settings")).text, "csrf_token")
    answer = await browser.post("/language", data={"language": "fr", "next": "/settings", "csrf_token": token})
    assert answer.headers["location"] == "/settings"
    page = await browser.get("/settings")
    assert page.headers["content-language"] == "fr"
    assert "Fuseau horaire" in page.text
    assert (await browser.post("/language", data={"language": "de", "csrf_token": token})).status_code == 400
    assert "Se déconnecter" in (await browser.get("/catalogue")).text


async def test_the_zone_is_checked_and_moves_the_days(product: Product) -> None:
    _, browser = await home(product)
    token = field((await browser.get("/settings")).text, "csrf_token")
    wrong = await browser.post("/settings/zone", data={"zone": "GMT+4", "csrf_token": token})
    assert wrong.status_code == 422
    assert 'value="GMT+4"' in wrong.text
    assert 'name="next" value="/settings"' in wrong.text
    await browser.post("/settings/zone", data={"zone": "Indian/Reunion", "csrf_token": token})
    assert 'value="Indian/Reunion"' in (await browser.get("/settings")).text


async def make_codes(product: Product, patient: Patient, count: int) -> None:
    assert patient.account.subject
    async with product.app.state.pool.connection() as connection:
        for number in range(count):
            now = datetime.now(UTC)
            await make_claim_code(
                connection, patient.account.subject, patient.account, f"Balance {number}", now, minutes=15
            )


async def test_the_journal_is_filtered_and_paged_without_losing_a_row(product: Product) -> None:
    patient, browser = await home(product)
    await make_codes(product, patient, 50)
    page = await browser.get("/journal")
    first = page.text.count("<time ")
    assert first == 40
    older = re.search(r'href="(/journal\?[^"]*before=\d+)"', page.text)
    assert older
    second = (await browser.get(older[1].replace("&amp;", "&"))).text.count("<time ")
    assert first + second == len(patient.space.journal())
    assert "Nothing here" in (await browser.get("/journal?kind=app")).text
    assert "Nothing here" in (await browser.get("/journal?from=2999-01-01")).text
    today = datetime.now(UTC).date().isoformat()
    assert (await browser.get(f"/journal?kind=patient&from=2020-01-01&to={today}")).text.count("<time ") == 40
    assert "A day is written like" in (await browser.get("/journal?from=soon")).text
    for odd in ("before=-1", "before=x", "before=99999999999999999999", "to=9999-12-31", "from=0001-01-01", "kind=%00"):
        assert (await browser.get(f"/journal?{odd}")).status_code == 200


async def test_errors_are_pages_in_the_persons_language(product: Product) -> None:
    _, browser = await home(product, language="fr")
    page = await browser.get("/nothing-here")
    assert page.status_code == 404
    assert "Il n’y a rien ici" in page.text
    assert "Se déconnecter" in page.text
    assert (await browser.put("/devices")).status_code == 405


async def test_htmx_and_the_style_sheet_are_served_from_here_and_may_be_kept(product: Product) -> None:
    browser = await product.browser()
    page = await browser.get("/login")
    for url in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
        asset = await browser.get(url)
        assert asset.status_code == 200
        assert "immutable" in asset.headers["cache-control"]
        again = await browser.get(url, headers={"if-none-match": asset.headers["etag"]})
        assert again.status_code == 304
    assert "htmx" in (await browser.get("/static/htmx.min.js")).text
    assert (await browser.get("/static/../settings.py")).status_code == 404
    assert (await browser.get("/static/nothing.css")).status_code == 404
