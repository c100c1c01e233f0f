"""What a patient sees and does about consents over time: ends, versions, history, export, letters, coming of age."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx2
from attested_review import approve
from fhirclient.models.bundle import Bundle
from portal_world import CALLBACK, SCOPES, Product, field, purpose, text_of

from app_catalog import Application, Cause, Status, app_by_id, change_status
from app_catalog.vendors.role import Role
from device_gateway.catalogue_key import catalogue_key
from device_gateway.catalogue_wiring import SpaceJournal
from device_gateway.consent_upkeep import keep_consents, tell_patients
from device_simulators.demo.submission import submit


async def home(product: Product, **changes: Any) -> tuple[Any, httpx2.AsyncClient]:
    patient = product.patient(**changes)
    return patient, await product.signed_in(patient.username)


async def upkeep(product: Product, now: datetime) -> None:
    await keep_consents(product.settings, product.app.state.pool, now)


async def new_version(product: Product, app_id: UUID) -> None:
    """`glucose` says something else, `weight` is as it was."""
    (member,) = product.owner(
        "SELECT m.person, a.vendor_id FROM catalogue.vendor_member m JOIN catalogue.app a USING (vendor_id)"
        " WHERE a.id = %s AND m.role = %s", app_id, Role.OWNER.value,
    )  # fmt: skip
    wiring = product.app.state.wiring
    owner = product.account("vendor")
    product.owner("UPDATE catalogue.vendor_member SET person = %s WHERE vendor_id = %s", owner.id, member.vendor_id)
    application = Application(
        name="Glyco+",
        description={"fr": "Votre carnet.", "en": "Your diary."},
        profile="smart-public",
        redirect_uris=(CALLBACK,),
        purposes=(
            purpose("weight", read_scope=SCOPES["weight"]),
            purpose("glucose", read_scope=SCOPES["glucose"], wording={"fr": "Autre chose.", "en": "Something else."}),
        ),
        changes={"fr": "Plus.", "en": "More."},
    )
    async with product.app.state.pool.connection() as connection:
        options: dict[str, Any] = {"journal": wiring.journal, "now": datetime.now(UTC)}
        submitted = await submit(
            connection, application, vendor_id=member.vendor_id, person=owner, app_id=app_id, **options
        )
        await approve(
            connection, submitted.application_id, owner=owner, data_plane=wiring.data_plane,
            reviewers=(product.account("reviewer"), product.account("reviewer")), **options,
        )  # fmt: skip
        assert (await app_by_id(connection, app_id)) is not None


async def test_ends_versions_and_history_of_a_connected_app(product: Product) -> None:
    patient, browser = await home(product)
    app = await product.online_app()
    await product.connect_app(browser, app, "weight", "glucose")

    page = await browser.get(f"/apps/{app}/end")
    token = {"csrf_token": field(page.text, "csrf_token")}
    assert 'id="ends-keep" checked' in page.text
    assert (await browser.post(f"/apps/{app}/end", data={**token, "ends": "day", "ends_on": "x"})).status_code == 422
    soon = datetime.now(ZoneInfo(patient.account.zone)).date() + timedelta(days=7)
    answer = await browser.post(f"/apps/{app}/end", data={**token, "ends": "day", "ends_on": soon.isoformat()})
    assert answer.headers["location"] == "/apps?done=end"
    assert "The access of Glyco+ ends by itself on" in text_of((await browser.get("/")).text)

    await new_version(product, app)
    await upkeep(product, datetime.now(UTC))
    assert "Glyco+ has changed: please answer by" in text_of((await browser.get("/")).text)
    listed = text_of((await browser.get("/apps")).text)
    assert "Awaits your answer" in listed
    assert "changed: opens nothing" in listed
    page = await browser.get(f"/apps/{app}/version")
    assert re.search(r"<del>.*</del>.*<ins>Something.*</ins>", page.text, re.DOTALL)
    assert re.findall(r'name="agree-(\w+)"[^>]* checked', page.text) == ["weight"]
    boxes = dict(re.findall(r'name="(agree-\w+)"[^>]* value="([^"]+)"', page.text))
    nothing = await browser.post(f"/apps/{app}/version", data=token)
    assert nothing.headers["location"] == f"/apps/{app}/disconnect?last=yes"
    for words, status in ((str(uuid4()), 422), ("yes", 404)):
        stale = {**token, **boxes, "agree-glucose": words, "ends": "keep"}
        assert (await browser.post(f"/apps/{app}/version", data=stale)).status_code == status, "other words"
    agreed = {**token, **boxes, "ends": "keep"}
    answer = await browser.post(f"/apps/{app}/version", data=agreed)
    assert answer.headers["location"] == "/apps?done=answered"
    assert "Awaits your answer" not in text_of((await browser.get("/apps")).text)
    assert (await browser.get(f"/apps/{app}/version")).status_code == 404
    assert (await browser.post(f"/apps/{app}/version", data=agreed)).status_code == 404, "sent twice"

    history = text_of((await browser.get(f"/apps/{app}/history")).text)
    assert history.count("in force until") == 2
    assert history.count("Something else.") == 1
    assert history.count("You chose another end on") == 2
    assert history.count("you answered for a newer text") == 2
    assert "version 2; read in English" in history
    journal = text_of((await browser.get("/journal")).text)
    assert "You chose until when Glyco+ may go on" in journal
    assert "Glyco+ has changed: you are asked about it until" in journal
    assert "You answered about Glyco+: you agree to Purpose weight, Purpose glucose." in journal
    _, stranger = await home(product, username="somebody")
    for path in ("end", "version", "history"):
        assert (await stranger.get(f"/apps/{app}/{path}")).status_code == 404


async def test_every_consent_is_exported_as_fhir_r4(product: Product) -> None:
    patient, browser = await home(product, language="fr")
    app = await product.online_app()
    await product.connect_app(browser, app, "weight", "glucose")
    token = {"csrf_token": field((await browser.get("/apps")).text, "csrf_token")}
    await browser.post(f"/apps/{app}/withdraw", data={**token, "purpose": "weight"})
    page = await browser.get(f"/apps/{app}/agree?purpose=weight")
    assert "Conservé par l’éditeur pendant 90 jours." in text_of(page.text)
    stale = await browser.post(f"/apps/{app}/agree", data={**token, "purpose": "weight", "words": str(uuid4())})
    assert stale.headers["location"] == f"/apps/{app}/agree?purpose=weight", "to be read as it is now"
    token["words"] = field(page.text, "words")
    await browser.post(f"/apps/{app}/agree", data={**token, "purpose": "weight"})
    for key in ("weight", "nonsense"):
        assert (await browser.post(f"/apps/{app}/agree", data={**token, "purpose": key})).status_code == 404
    assert "sans accord" not in text_of((await browser.get("/apps")).text)
    await browser.post(f"/apps/{app}/withdraw", data={**token, "purpose": "weight"})
    answer = await browser.get("/apps/consents.json")
    assert answer.headers["content-disposition"] == 'attachment; filename="consents.json"'
    bundle = Bundle(json.loads(answer.text), strict=True)
    resources = [entry.resource for entry in bundle.entry]
    newest_last = [one for one in reversed(resources) if one.resource_type == "Consent"]
    consents = {one.provision.purpose[0].code: one for one in newest_last}
    assert {key: one.status for key, one in consents.items()} == {"weight": "inactive", "glucose": "active"}
    glucose = consents["glucose"]
    assert glucose.provision.period.end.date > glucose.dateTime.date
    assert glucose.provision.actor[0].reference.display == "Glyco+ (Acme)"
    assert [one.code[0].coding[0].code for one in glucose.provision.provision] == [SCOPES["glucose"].rpartition("|")[2]]
    assert glucose.sourceAttachment.language == "fr"
    assert {one.resource_type for one in resources} == {"Patient", "Organization", "Consent"}
    names = {f"urn:uuid:{one.id}" for one in resources}
    assert {one.patient.reference for one in consents.values()} <= names
    assert {one.provision.actor[0].reference.reference for one in consents.values()} <= names
    assert "Vous avez téléchargé 3 accords." in text_of((await browser.get("/journal")).text)
    _, stranger = await home(product, username="somebody")
    others = json.loads((await stranger.get(f"/apps/consents.json?app={app}")).text)
    assert [entry["resource"]["resourceType"] for entry in others["entry"]] == ["Patient"]
    assert str(patient.account.subject) not in json.dumps(others)


async def test_letters_go_to_an_address_that_was_confirmed_and_coming_of_age_asks_again(product: Product) -> None:
    patient, browser = await home(product, language="fr")
    app = await product.online_app()
    await product.connect_app(browser, app, "weight")
    page = await browser.get("/settings")
    token = {"csrf_token": field(page.text, "csrf_token")}
    for wrong in ("nobody", "a@b", "a@b.example\nbcc: c@d.example"):
        assert (await browser.post("/settings/mail", data={**token, "email": wrong})).status_code == 422
    assert (await browser.post("/settings/mail", data={**token, "email": "ana@mail.example"})).status_code == 303
    assert (await browser.post("/settings/mail", data={**token, "email": "ben@mail.example"})).status_code == 429
    assert (await browser.post("/settings/mail/code", data={**token, "code": "x"})).status_code == 422
    (mail,) = mails(product)
    code = re.search(r"\d{6}", mail)
    assert code
    assert (await browser.post("/settings/mail/code", data={**token, "code": code[0]})).status_code == 303
    assert 'value="ana@mail.example"' in (await browser.get("/settings")).text

    today = datetime.now(UTC).date()
    assert (await browser.post("/settings/birth-date", data={**token, "birth_date": "1850-01-01"})).status_code == 422
    born = date(today.year - 18, today.month, 28) + timedelta(days=20)
    answer = await browser.post("/settings/birth-date", data={**token, "birth_date": born.isoformat()})
    assert answer.headers["location"] == "/settings?done=birth_date"
    await upkeep(product, datetime.now(UTC))
    assert len(mails(product)) == 1
    of_age = datetime.now(UTC) + timedelta(days=60)
    for _ in range(2):
        await upkeep(product, of_age)
    assert "Vous avez atteint la majorité" in mails(product)[1]
    assert len(mails(product)) == 2
    assert "Vous avez atteint la majorité" in text_of((await browser.get(f"/apps/{app}/version")).text)
    await upkeep(product, datetime.now(UTC) + timedelta(days=95))
    texts = sorted(mails(product), key=lambda text: "Ces applications" in text)
    assert "– Glyco+, Acme : jusqu’au " in texts[-1]
    assert "Tous les 90 jours" in text_of((await browser.get("/")).text)
    journal = text_of((await browser.get("/journal")).text)
    assert "La liste de vos applications connectées vous a été envoyée : 1 application." in journal

    async with product.app.state.pool.connection() as connection:
        await change_status(
            connection, app, Status.SUSPENDED, person=product.account("reviewer"), journal=SpaceJournal(),
            now=datetime.now(UTC), reason="CVE-2026-1", cause=Cause.SECURITY,
        )  # fmt: skip
    while await tell_patients(product.settings, product.app.state.pool, datetime.now(UTC)):
        pass
    (letter,) = [text for text in mails(product) if "est suspendue par l’opérateur du catalogue" in text]
    journal, apps, start = [text_of((await browser.get(path)).text) for path in ("/journal", "/apps", "/")]
    assert "L’opérateur du catalogue a suspendu Glyco+ le " in journal
    assert "par l’opérateur du catalogue : elle ne lit et n’écrit rien jusqu’à son retour." in apps
    for text in (letter, journal, apps):
        assert "Une faiblesse a été trouvée dans sa sécurité." in text
        assert "CVE" not in text, "that is for the vendor"
    assert "Glyco+ est suspendue depuis le " in start
    await browser.post("/settings/mail", data={**token, "email": ""})
    assert 'value="ana@mail.example"' not in (await browser.get("/settings")).text
    assert patient.account.subject


def mails(product: Product) -> list[str]:
    """Texts of the mails in the outbox, oldest first."""
    assert catalogue_key(product.settings) is None, "texts lie open in these tests"
    rows = product.owner("SELECT body FROM gateway.outgoing_mail ORDER BY created_at, id")
    return [bytes(row.body).decode() for row in rows]
