"""A vendor's pipeline: from a draft to a submission and beyond, by the same rules as the pages."""

import io

import pytest
from catalogue_host import Somebody
from client_keys import Signer
from PIL import Image
from program import CLIENT, IDENTITY, PDF, PURPOSE, organisation, program

from app_catalog.review.admissibility import admit_application
from app_catalog.review.interests import declare_interest
from app_catalog.review.questions import ask_vendor


@pytest.fixture
def owner():
    return Somebody("vendor", display_name="Odile")


@pytest.fixture
async def ci(host, owner):
    return await program(host, owner, await organisation(host, owner))


async def test_a_pipeline_writes_an_application_hands_it_in_and_answers_questions(host, ci):
    me = await ci.done("GET", "/api/catalogue/vendor")
    assert (me["access_key"]["role"], me["access_key"]["may"]) == ("owner", "write")
    draft = await ci.begin()
    refused = await ci.ask("POST", f"{draft}/submit")
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert {"pointer": "/client/profile", "detail": "Choose one of the profiles."} in refused.json()["errors"]
    shown = await ci.fill_in(draft)
    assert shown["missing"] == []
    assert shown["identity"] == {**shown["identity"], **IDENTITY, "links": shown["identity"]["links"]}
    assert shown["purposes"] == [shown["purposes"][0] | PURPOSE]
    picture = io.BytesIO()
    Image.new("RGB", (80, 80), "navy").save(picture, "PNG")
    await ci.done("PUT", f"{draft}/logo", content=picture.getvalue(), headers={"Content-Type": "image/png"})
    assert (await ci.ask("GET", f"{draft}/logo")).headers["content-type"] == "image/png"

    done = await ci.done("POST", f"{draft}/submit")
    assert (done["state"], done["version"], done["has_logo"]) == ("submitted", 1, True)
    assert [done[name] for name in ("identity", "client", "purposes", "criteria", "documents")] == [
        shown[name] for name in ("identity", "client", "purposes", "criteria", "documents")
    ]
    event = host.journal.events[-1]
    assert (event.name, event.actor_kind, event.actor_name) == (
        "catalogue:application:submit", "vendor", "Odile [ci]",
    )  # fmt: skip
    for method, path, body in (("PATCH", draft, {"client": {}}), ("POST", f"{draft}/submit", None)):
        assert (await ci.ask(method, path, body)).status_code == 409
    document = done["documents"][0]
    kept = await ci.ask("GET", f"{draft}/documents/{document['id']}")
    assert (kept.content, kept.headers["content-disposition"][:10]) == (PDF, "attachment")
    assert (await ci.ask("DELETE", f"{draft}/documents/{document['id']}")).status_code == 409

    reviewer = Somebody("reviewer", display_name="Rita")
    options = {"person": reviewer, "journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        await declare_interest(connection, done["id"], has_interest=False, **options)
        await admit_application(connection, done["id"], **options)
        question = await ask_vendor(connection, done["id"], "Where is it hosted?", **options)
    seen = await ci.done("GET", f"{draft}/review")
    assert (seen["state"], seen["questions"][0]["text"]) == ("admissible", "Where is it hosted?")
    assert "Rita" not in str(seen)
    answered = await ci.done("POST", f"{draft}/questions/{question}/answer", {"answer": "In Rennes."})
    assert answered["questions"][0]["answer"] == "In Rennes."
    await ci.done("POST", f"{draft}/withdraw")
    assert (await ci.done("GET", draft))["state"] == "withdrawn"


async def test_a_section_that_is_left_out_stays_and_a_change_meanwhile_is_noticed(ci):
    draft = await ci.begin()
    first = await ci.ask("PATCH", draft, {"identity": IDENTITY, "purposes": [PURPOSE, {"key": "other"}]})
    seen = {"If-Match": first.headers["etag"]}
    changed = await ci.ask("PATCH", draft, {"client": CLIENT}, headers=seen)
    assert changed.json()["identity"] == first.json()["identity"]
    assert changed.json()["purposes"] == first.json()["purposes"]
    late = await ci.ask("PATCH", draft, {"purposes": []}, headers=seen)
    assert (late.status_code, late.json()["type"].partition("#")[2]) == (412, "changed")
    assert (await ci.ask("POST", f"{draft}/submit", headers=seen)).status_code == 412
    now = await ci.ask("GET", draft)
    assert now.json()["purposes"], "nothing was lost"
    assert now.headers["etag"] == changed.headers["etag"]
    assert (await ci.ask("GET", draft, headers={"If-None-Match": now.headers["etag"]})).status_code == 304
    assert (await ci.ask("PATCH", draft, {"purposes": []}, headers={"If-Match": now.headers["etag"]})).is_success


async def test_a_purpose_that_keeps_its_key_stays_open_on_the_page_of_a_colleague(host, owner, ci):
    draft = await ci.begin()
    await ci.done("PATCH", draft, {"purposes": [PURPOSE]})
    async with host.browser(owner) as browser:
        pages = [f"/catalogue/vendor/{draft}/purposes"]
        listed = (await browser.get(pages[0])).text
        await ci.done("PATCH", draft, {"purposes": [{"key": "first"}, PURPOSE | {"retention_days": 7}]})
        (there,) = {link for link in listed.split('"') if link.startswith(f"{pages[0]}/")}
        assert 'value="7"' in (await browser.get(there)).text


async def test_apps_and_applications_are_listed_by_pages(ci):
    drafts = [await ci.begin(f"App {number}") for number in range(3)]
    await ci.done("POST", f"{drafts[0]}/withdraw")
    first = await ci.done("GET", "apps", params={"limit": 1})
    assert (first["total"], [one["name"] for one in first["items"]]) == (2, ["App 2"]), "discarded: it is gone"
    second = await ci.done("GET", first["next"].removeprefix("http://127.0.0.1:8000"))
    assert ([one["name"] for one in second["items"]], second["next"]) == (["App 1"], None)
    app = await ci.done("GET", f"apps/{first['items'][0]['id']}")
    assert (app["status"], f"applications/{app['application_undecided']}") == ("CANDIDATE", drafts[2])
    listed = await ci.done("GET", "applications", params={"state": "draft", "app_id": app["id"]})
    assert [one["name"] for one in listed["items"]] == ["App 2"]
    assert (await ci.ask("GET", "applications", params={"state": "new"})).json()["errors"][0]["pointer"] == "/state"
    assert (await ci.ask("GET", "applications", params={"limit": "0", "x": "1"})).status_code == 422


async def test_keys_secrets_and_notices_of_a_client(host, ci):
    draft = await ci.begin()
    await ci.fill_in(draft)
    app = f"apps/{(await ci.done('POST', f'{draft}/submit'))['app_id']}/client"
    signer = Signer()
    known = await ci.done("PUT", f"{app}/credentials", signer.metadata)
    assert known["credentials"]["jwks"]["keys"][0]["kid"] == signer.kid
    private = {"keys": [dict(signer.key.as_dict(private=True))]}
    refused = await ci.ask("PUT", f"{app}/credentials", signer.metadata | {"jwks": private})
    assert refused.json()["errors"][0]["pointer"] == "/jwks"
    assert (await ci.ask("PUT", f"{app}/credentials", signer.metadata | {"client_name": "x"})).status_code == 422
    assert (await ci.ask("POST", f"{app}/secret", {})).status_code == 409, "its profile has none"
    token = await ci.ask("POST", f"{app}/initial-token")
    assert (token.headers["cache-control"], "etag" in token.headers) == ("no-store", False)
    form = {"Authorization": f"Bearer {token.json()['initial_access_token']}"}
    async with host.browser() as client:
        registered = await client.post("/oauth/register", json=signer.metadata, headers=form)
    assert registered.status_code == 201
    assert (await ci.ask("PUT", f"{app}/notification", {"url": "http://x"})).status_code == 409, "no key to sign with"
    assert (await ci.done("GET", f"{app}/notification"))["url"] is None

    await ci.done("POST", f"{draft}/withdraw")
    version = await ci.done("POST", f"apps/{known_id(app)}/versions", {})
    assert (version["version"], version["identity"]["name"]) == (2, "Poids & Co")
    draft = f"applications/{version['id']}"
    await ci.done("PATCH", draft, {"client": CLIENT | {"profile": "smart-secret"}})
    await ci.done("POST", f"{draft}/submit")
    secret = await ci.done("POST", f"{app}/secret", {})
    assert secret["former_secret_until"] is None
    newer = await ci.done("POST", f"{app}/secret", {})
    assert newer["client_secret"] != secret["client_secret"]
    assert newer["former_secret_until"] is not None
    assert (await ci.done("POST", f"{app}/secret", {"end_former": True}))["former_secret_until"] is None


async def test_a_pipeline_makes_a_patient_and_runs_a_scenario(ci):
    draft = await ci.begin()
    await ci.fill_in(draft)
    await ci.done("POST", f"{draft}/submit")
    made = await ci.done("POST", "patients", {"name": "Ana"})
    assert made["password"]
    armed = await ci.ask("POST", f"{draft}/runs", {"scenario": "happy-path", "patient_id": made["id"]})
    here = armed.headers["location"].removeprefix("http://127.0.0.1:8000")
    run = await ci.done("GET", here)
    assert (run["stage"], run["outcome"], run["armed_by"]) == ("armed", None, "Odile [ci]")
    again = await ci.ask("POST", f"{draft}/runs", {"scenario": "denied", "patient_id": made["id"]})
    assert (again.status_code, again.json()["detail"]) == (
        409, "Another scenario waits for this patient: cancel it first.",
    )  # fmt: skip
    await ci.done("DELETE", here)
    assert (await ci.done("GET", here))["outcome"] == "cancelled"
    nobody = await ci.ask("POST", f"{draft}/runs", {"scenario": "denied", "patient_id": known_id(draft)})
    assert nobody.json()["errors"][0]["pointer"] == "/patient_id"
    report = await ci.done("GET", f"{draft}/interoperability")
    assert report["is_shown"] is False
    assert {one["scenario"] for one in report["scenarios"]} >= {"happy-path", "revoked"}
    await ci.done("POST", f"patients/{made['id']}/reset")
    await ci.done("DELETE", f"patients/{made['id']}")
    assert (await ci.done("GET", "patients"))["items"] == []


def known_id(client_path):
    return client_path.split("/")[1]
