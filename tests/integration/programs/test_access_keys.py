"""Access keys: who makes and ends them, what each reaches, and that none reaches anything else."""

import re
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from candidate import candidate
from catalogue_host import Host, Somebody, patient
from program import PDF, Program, make_key, organisation, program

from app_catalog import end_keys_of_person
from app_catalog.api.operation import File
from app_catalog.api.operations import OPERATIONS
from app_catalog.clients.rate import Rates
from app_catalog.review.interests import declare_interest
from app_catalog.vendors.members import change_role, end_membership
from app_catalog.vendors.role import Role

# A body of each model that says nothing wrong.
BODIES = {
    "NewApp": {"name": "x"}, "NewVersion": {}, "Sections": {}, "NewAnswer": {"answer": "x"}, "NewSecret": {},
    "NewRun": {"scenario": "denied", "patient_id": str(uuid4())}, "NewPatient": {"name": "x"},
    "Credentials": {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://vendor.example/jwks"},
    "Address": {"url": None}, "NewComplaint": {"step": 1, "text": "x"}, "AuditAnswer": {"text": "x"},
    "NewInvitation": {"label": "x", "places": 1},
}  # fmt: skip
WRITING = [one for one in OPERATIONS if one.writes]
OF_VENDORS = [one for one in OPERATIONS if one.kind == "vendor"]


def name(operation):
    return f"{operation.method} {operation.path}"


async def ask(program, operation, ids):
    """A request that is right but for who sends it."""
    path = re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], str(uuid4())), operation.path)
    options = {}
    if isinstance(operation.body, File):
        options = {"content": PDF, "headers": {"Content-Type": "application/octet-stream"}}
        options["params"] = {"kind": "evidence", "name": "x"} if operation.query else {}
    elif operation.body is not None:
        options = {"body": BODIES[operation.body.__name__]}
    return await program.ask(operation.method, path, **options)


async def joined(host, owner, vendor_id, role):
    """A new member, by the invitation of an owner."""
    member = Somebody("vendor", display_name=role.title())
    query = """INSERT INTO catalogue.vendor_member (vendor_id, person, added_at, role, display_name)
      VALUES (%s, %s, now(), %s, %s)"""
    async with host.pool.connection() as connection:
        await connection.execute(query, (vendor_id, member.id, role, member.display_name))
    return member


async def status(program, method="GET", path="/api/catalogue/vendor"):
    return (await program.ask(method, path)).status_code


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(host):
    owner = Somebody("vendor")
    vendor_id = await organisation(host, owner)
    made = await make_key(host, owner, vendor_id, name="nightly <b>")
    assert made.headers["cache-control"] == "no-store"
    key = re.search(r"appcat_[0-9a-f]{64}", made.text)[0]
    async with host.pool.connection() as connection:
        rows = await (await connection.execute("SELECT k::text FROM catalogue.access_key k")).fetchall()
        assert key[7:] not in str(rows)
    async with host.browser(owner) as browser:
        listed = (await browser.get(f"/catalogue/vendor/organisations/{vendor_id}/keys")).text
        assert key not in listed
        assert "nightly &lt;b&gt;" in listed
        assert "never" in listed
        assert await status(Program(host, key)) == 200
        here = f"/catalogue/vendor/organisations/{vendor_id}"
        assert "to the hour" in (await browser.get(f"{here}/keys")).text
        assert "access key made, nightly" in (await browser.get(here)).text
    assert host.journal.names()[-1] == "catalogue:access_key:make"
    to, _, text = host.mail.sent[-1]
    assert (to, key in text, f"{here}/keys" in text) == ("contact@vendor.example", False, True), "its owners are told"
    assert not [event for event in host.journal.events if key in str(event)]


async def test_what_a_key_may_not_be(host):
    owner = Somebody("vendor")
    vendor_id = await organisation(host, owner)
    for fields in ({"days": 367}, {"days": -1}, {"name": ""}, {"name": "x" * 61}, {"days": 900_000}):
        assert (await make_key(host, owner, vendor_id, **fields)).status_code == 422, fields
    viewer = await joined(host, owner, vendor_id, Role.VIEWER)
    assert (await make_key(host, viewer, vendor_id, may="write")).status_code == 403
    assert (await make_key(host, Somebody("vendor"), vendor_id)).status_code == 403
    assert (await make_key(host, patient(), vendor_id)).status_code == 403
    assert (await make_key(host, Somebody("reviewer"), None, may="write")).status_code == 403
    assert (await make_key(host, Somebody("operator"), None, may="read")).status_code == 403
    async with host.browser(owner) as browser:
        form = {"name": "x", "ends_on": "2026-13-01", "csrf_token": owner.csrf_token}
        assert (await browser.post(f"/catalogue/vendor/organisations/{vendor_id}/keys", data=form)).status_code == 422
        stale = await browser.post(f"/catalogue/vendor/organisations/{vendor_id}/keys", data=form | {"csrf_token": ""})
        assert stale.status_code == 403
    assert (await make_key(host, owner, vendor_id, days=365)).status_code == 200
    for _ in range(19):
        await make_key(host, owner, vendor_id)
    assert (await make_key(host, owner, vendor_id)).status_code == 409, "twenty at a time"


async def test_without_a_key_that_works_nothing_answers(host):
    owner = Somebody("vendor")
    vendor_id = await organisation(host, owner)
    ci = await program(host, owner, vendor_id, days=30)
    async with host.browser(owner) as browser:  # a session is no key: no page of another site can use one
        for operation in OPERATIONS:
            answer = await browser.request(operation.method, operation.path)
            assert answer.status_code == 401, name(operation)
            assert answer.headers["www-authenticate"] == 'Bearer realm="catalogue"'
        for sent in ("Basic YTpi", f"Token {ci.key}", "Bearer"):
            answer = await browser.get("/api/catalogue/vendor", headers={"Authorization": sent})
            assert answer.status_code == 401
        twice = [("Authorization", f"Bearer {ci.key}"), ("Authorization", f"Bearer {ci.key}")]
        assert (await browser.get("/api/catalogue/vendor", headers=twice)).status_code == 401
        assert (await browser.get(f"/api/catalogue/vendor?access_token={ci.key}")).status_code == 401
    for wrong in (ci.key.upper(), ci.key[:-1], f"{ci.key}0", "appcat_" + "0" * 64, "é\xa0"):
        answer = await Program(host, wrong.encode("latin-1").decode("latin-1")).ask(
            "GET", "/api/catalogue/vendor", headers={"Authorization": f"Bearer {wrong}".encode("latin-1")}
        )
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    host.offset = timedelta(days=32)
    over = await ci.ask("GET", "/api/catalogue/vendor")
    assert (over.status_code, over.json()["detail"]) == (401, "This access key is over its date: make another one.")


async def test_a_key_ends_with_its_maker_s_word_an_owner_s_a_membership_and_a_password(host):
    owner = Somebody("vendor", display_name="Odile")
    vendor_id = await organisation(host, owner)
    colleague = await joined(host, owner, vendor_id, Role.DEVELOPER)
    here = f"/catalogue/vendor/organisations/{vendor_id}/keys"
    options = {"journal": host.journal, "now": host.now()}

    first, second = [await program(host, colleague, vendor_id, name=each) for each in ("first", "second")]
    mine = await program(host, owner, vendor_id, name="mine")
    async with host.browser(colleague) as browser:
        listed = (await browser.get(here)).text
        assert ("first" in listed, "mine" in listed) == (True, False)
        (of_owner,) = await keys_named(host, "mine")
        form = {"csrf_token": colleague.csrf_token}
        assert (await browser.post(f"{here}/{of_owner}/end", data=form)).status_code == 404, "not a colleague's"
        (of_colleague,) = await keys_named(host, "first")
        assert (await browser.post(f"{here}/{of_colleague}/end", data=form)).status_code == 303
        assert (await browser.post(f"{here}/{of_colleague}/end", data=form)).status_code == 409
    assert [await status(each) for each in (first, second, mine)] == [401, 200, 200]
    async with host.browser(owner) as browser:
        assert "second" in (await browser.get(here)).text, "an owner sees all"
        (of_colleague,) = await keys_named(host, "second")
        await browser.post(f"{here}/{of_colleague}/end", data={"csrf_token": owner.csrf_token})
    assert await status(second) == 401

    third = await program(host, colleague, vendor_id, name="third")
    async with host.pool.connection() as connection:
        await end_membership(connection, vendor_id, colleague.id, person=owner, **options)
    assert (await third.ask("GET", "/api/catalogue/vendor")).json()["detail"] == "This access key has ended."
    async with host.pool.connection() as connection:
        await connection.execute(
            "UPDATE catalogue.vendor_member SET left_at = NULL WHERE person = %s", (colleague.id,)
        )  # invited again
        assert await status(third) == 401, "a key does not come back with its maker"
        with pytest.raises(psycopg.errors.RestrictViolation):
            await connection.execute("UPDATE catalogue.access_key SET ended_at = NULL WHERE name = 'third'")
        assert await end_keys_of_person(connection, owner, host.journal, host.now()) == 1
    assert await status(mine) == 401
    assert [event.details["about"] for event in host.journal.events if "access_key:end" in event.name] == [
        "first", "second", "third", "mine",
    ]  # fmt: skip


async def test_a_key_reaches_what_its_maker_s_role_reaches_at_that_moment(host):
    owner = Somebody("vendor")
    vendor_id = await organisation(host, owner)
    member = await joined(host, owner, vendor_id, Role.DEVELOPER)
    ci, reader = await program(host, member, vendor_id), await program(host, member, vendor_id, may="read")
    draft = await ci.begin()
    assert (await reader.done("GET", draft))["state"] == "draft"
    for operation in WRITING:
        refused = await ask(reader, operation, {})
        assert refused.status_code == 403, name(operation)
        assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    async with host.pool.connection() as connection:
        await change_role(
            connection, vendor_id, member.id, Role.VIEWER, person=owner, journal=host.journal, now=host.now()
        )
    assert (await ci.done("GET", "/api/catalogue/vendor"))["access_key"]["role"] == "viewer"
    for method, path, body in (
        ("POST", "apps", {"name": "x"}), ("PATCH", draft, {}), ("POST", "patients", {"name": "x"}),
        ("POST", f"{draft}/withdraw", None), ("GET", draft, None),
    ):  # fmt: skip
        refused = await ci.ask(method, path, body)
        assert (refused.status_code, "www-authenticate" in refused.headers) == (403, False), path
    assert (await ci.done("GET", "applications"))["total"] == 1, "a viewer sees that there is one, as on the page"


async def test_another_organisation_s_things_are_not_there(host):
    theirs = await candidate(host, exchanges_data=True)
    application = str(theirs.application_id)
    mine = Somebody("vendor")
    ids = {
        "app_id": str(theirs.client.app_id), "application_id": application,
        "patient_id": str(theirs.patient.subject), "name": "00",
    }  # fmt: skip
    owner = await program(host, theirs.vendor, theirs.vendor_id)
    run = await owner.done(
        "POST", f"applications/{application}/runs", {"scenario": "denied", "patient_id": ids["patient_id"]}
    )
    document = (await owner.done("GET", f"applications/{application}"))["documents"][0]
    ids |= {"run_id": run["id"], "document_id": document["id"]}
    strangers = [
        await program(host, mine, await organisation(host, mine)),
        # a member of both, with a key for the other one
        await program(host, theirs.vendor, await organisation(host, theirs.vendor, "Other")),
    ]
    asked = [one for one in OF_VENDORS if "{" in one.path]
    assert len(asked) > 30
    for stranger in strangers:
        for operation in asked:
            answer = await ask(stranger, operation, ids)
            assert answer.status_code == 404, (name(operation), answer.text)
        body = {"scenario": "denied", "patient_id": ids["patient_id"]}
        draft = await stranger.begin()
        assert (await stranger.ask("POST", f"{draft}/runs", body)).status_code == 409
        base = await stranger.ask("POST", f"apps/{(await stranger.done('GET', draft))['app_id']}/versions", {})
        assert base.status_code == 409
    assert (await owner.done("GET", f"applications/{application}"))["state"] == "submitted"


async def test_a_reviewer_s_key_reads_what_its_maker_may_read_and_decides_nothing(host):
    tried = await candidate(host)
    reviewer = Somebody("reviewer", display_name="Rita")
    reader = await program(host, reviewer, None, may="read")
    path = f"/api/catalogue/review/applications/{tried.application_id}"
    (line,) = [
        one
        for one in (await reader.done("GET", "/api/catalogue/review/applications"))["items"]
        if one["id"] == str(tried.application_id)
    ]
    assert line["interests_declared"] is False
    closed = await reader.ask("GET", path)
    assert (closed.status_code, closed.json()["type"].partition("#")[2]) == (403, "not-allowed")
    async with host.pool.connection() as connection:
        await declare_interest(
            connection, tried.application_id, has_interest=False, person=reviewer, journal=host.journal, now=host.now()
        )
    dossier = await reader.done("GET", path)
    assert dossier["identity"]["name"] == "Weight & Sugar"
    assert dossier["missing"]
    assert (await reader.ask("GET", f"{path}/documents/{dossier['documents'][0]['id']}")).status_code == 200
    assert await status(reader) == 403
    vendor = await program(host, tried.vendor, tried.vendor_id, may="read")
    assert (await vendor.ask("GET", path)).status_code == 403
    async with host.browser(reviewer) as browser:
        assert "ci" in (await browser.get("/catalogue/review/keys")).text
        (key,) = await keys_named(host, "ci", reviewer)
        await browser.post(f"/catalogue/review/keys/{key}/end", data={"csrf_token": reviewer.csrf_token})
    assert await status(reader, path=path) == 401


async def test_a_key_opens_nothing_but_the_catalogue_and_makes_no_other_key(host):
    owner = Somebody("vendor")
    vendor_id = await organisation(host, owner)
    ci = await program(host, owner, vendor_id)
    header = {"Authorization": f"Bearer {ci.key}"}
    async with host.browser() as client:
        asked = await client.post("/oauth/introspect", data={"token": ci.key}, headers=header)
        assert asked.status_code == 401
        assert (await client.post("/oauth/register", json={}, headers=header)).status_code == 401
        here = f"/catalogue/vendor/organisations/{vendor_id}/keys"
        for page in (here, "/catalogue/vendor", "/catalogue/apply"):
            assert "/login" in (await client.get(page, headers=header)).headers["location"]
        form = {"name": "x", "may": "write", "ends_on": "2027-01-01", "csrf_token": ""}
        assert "/login" in (await client.post(here, data=form, headers=header)).headers["location"]


async def test_a_key_that_asks_too_often_waits(host):
    slow = Host(host.pool, rates=Rates(0.1))
    owner = Somebody("vendor")
    vendor_id = await organisation(slow, owner)
    ci, other = await program(slow, owner, vendor_id), await program(slow, owner, vendor_id)
    assert await status(ci) == 200
    refused = await ci.ask("GET", "/api/catalogue/vendor")
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
    assert await status(other) == 200


async def keys_named(host, wanted, person=None):
    query = (
        "SELECT id FROM catalogue.access_key WHERE name = %s AND (%s::uuid IS NULL OR person = %s) AND ended_at IS NULL"
    )
    person_id = person.id if person else None
    async with host.pool.connection() as connection:
        rows = await (await connection.execute(query, (wanted, person_id, person_id))).fetchall()
    return [row.id for row in rows]
