"""What a token opens over HTTP: what was agreed to, until it is withdrawn; and what the patient is told of it."""

from datetime import timedelta

import pytest
from catalogue_host import FHIR
from fhir_world import SCOPES, matches, scope_of

from app_catalog import Status, change_status, revoke_pairing, withdraw_purpose
from app_catalog.oauth.secret_text import sha256

AT = "2026-11-21T07:31:05+01:00"


async def revoke(ana):
    host = ana.app.host
    async with host.pool.connection() as connection:
        await revoke_pairing(
            connection, ana.person.subject, ana.app.app_id, ana.person, host.journal, host.data_plane, now=host.now()
        )


async def test_only_the_metrics_of_the_purposes_agreed_to_are_found(world):
    ana = await world.session("weight")
    weight = ana.space.put("body-weight", "72.40", AT)
    sugar = ana.space.put("blood-glucose", "101", AT)
    assert await ana.ids("Observation") == [weight]
    assert await ana.ids("Observation?code=2345-7") == []
    assert await ana.ids(f"Observation?_id={sugar},{weight}") == [weight]
    assert (await ana.get(f"Observation/{weight}")).status_code == 200
    refused, unknown = await ana.get(f"Observation/{sugar}"), await ana.get(f"Observation/{sugar[:-3]}aaa")
    assert refused.status_code == unknown.status_code == 404
    assert refused.content == unknown.content


async def test_what_was_seen_is_journalled_with_purpose_metric_and_count_and_no_value(world):
    ana = await world.session("weight")
    reading = ana.space.put("body-weight", "72.40", AT)
    await ana.get("Observation?code=29463-7")
    await ana.get(f"Observation/{reading}")
    searched, read = ana.space.journal()
    assert (searched.event, searched.outcome, searched.quantity) == ("app:observation:search", "permit", 1)
    assert (searched.actor_kind, searched.actor_id, searched.actor_name) == (
        "app",
        str(ana.app.app_id),
        "Weight & Sugar",
    )
    assert searched.purpose == "weight"
    assert searched.details == {
        "metrics": ["body-weight"], "purposes_fr": ["Finalité weight"], "purposes_en": ["Purpose weight"],
    }  # fmt: skip
    assert (read.event, read.outcome, read.quantity) == ("app:observation:read", "permit", 1)
    assert "72.4" not in repr([searched, read])


async def test_what_was_refused_is_journalled_with_its_reason(world):
    ana = await world.session("weight")
    sugar = ana.space.put("blood-glucose", "101", AT)
    await ana.get(f"Observation/{sugar}")
    await ana.get("Observation?code=2345-7")
    await ana.get("Observation?patient=somebody-else")
    told = [(row.event, row.outcome, row.reason, row.details) for row in ana.space.journal()]
    assert told == [
        ("app:observation:read", "deny", "no consent", {"metrics": ["blood-glucose"]}),
        ("app:observation:search", "deny", "no consent", {"metrics": ["blood-glucose"]}),
        ("app:observation:search", "deny", "other patient", {}),
    ]


async def test_a_scope_that_was_not_asked_for_is_not_opened_by_a_consent(world):
    ana = await world.session("everything", scope=f"launch/patient {scope_of('body-weight')}")
    ana.space.put("blood-glucose", "101", AT)
    assert await ana.ids("Observation?code=2345-7") == []
    assert ana.space.journal()[-1].reason == "no scope"


async def test_a_purpose_that_is_withdrawn_makes_its_readings_vanish_at_once(world):
    ana = await world.session("weight", "glucose")
    ana.space.put("body-weight", "72.40", AT)
    sugar = ana.space.put("blood-glucose", "101", AT)
    assert len(await ana.ids("Observation")) == 2
    host = ana.app.host
    async with host.pool.connection() as connection:
        await withdraw_purpose(
            connection, ana.person.subject, ana.app.app_id, "glucose", ana.person, host.journal, host.data_plane,
            now=host.now(),
        )  # fmt: skip
    assert len(await ana.ids("Observation")) == 1
    assert (await ana.get(f"Observation/{sugar}")).status_code == 404


async def test_after_revocation_the_next_call_is_refused_and_the_patient_is_told(world):
    ana = await world.session("weight")
    ana.space.put("body-weight", "72.40", AT)
    assert len(await ana.ids("Observation")) == 1
    await revoke(ana)
    refused = await ana.get("Observation")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert refused.json()["issue"][0]["code"] == "security"
    last = ana.space.journal()[-1]
    assert (last.event, last.outcome, last.reason) == ("app:request:refuse", "deny", "grant revoked")
    assert last.actor_name == "Weight & Sugar"


async def test_an_expired_token_is_refused_and_told_once_an_hour_however_often_it_is_sent(world):
    ana = await world.session("weight")
    world.host.offset = timedelta(days=2)
    for _ in range(3):
        assert (await ana.get("Observation")).status_code == 401
    assert [entry.reason for entry in ana.space.journal() if entry.event == "app:request:refuse"] == ["token expired"]
    await revoke(ana)
    assert (await ana.get("Observation")).status_code == 401
    assert ana.space.journal()[-1].reason == "grant revoked"


async def test_a_suspended_app_is_refused_and_told(world):
    ana = await world.session("weight")
    host = world.host
    async with host.pool.connection() as connection:
        await change_status(
            connection, ana.app.app_id, Status.SUSPENDED, person=ana.app.reviewer, reason="under review",
            journal=host.journal, now=host.now(),
        )  # fmt: skip
    assert (await ana.get("Observation")).status_code == 401
    assert ana.space.journal()[-1].reason == "app suspended"


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        (None, "Bearer"),
        ("Basic YTpi", "Bearer"),
        ("Bearer", 'Bearer error="invalid_token"'),
        ("Bearer unknown", 'Bearer error="invalid_token"'),
        ("Bearer a b", 'Bearer error="invalid_token"'),
        ("Bearer " + "x" * 5000, 'Bearer error="invalid_token"'),
    ],
)
async def test_a_token_that_never_was_opens_nothing(world, header, challenge):
    headers = {} if header is None else {"Authorization": header}
    for path in ("Observation", "Device/d.x", "Observation?_count=x"):
        response = await world.client.get(f"{FHIR}/{path}", headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == challenge
        assert response.json()["resourceType"] == "OperationOutcome"


async def test_a_token_in_the_query_is_not_looked_at_and_never_echoed(world):
    ana = await world.session("weight")
    token = ana.token["access_token"]
    assert (await world.client.get(f"{FHIR}/Observation?access_token={token}")).status_code == 401
    assert token not in (await ana.get(f"Observation?access_token={token}")).text


async def test_a_refresh_token_is_no_access_token(world):
    ana = await world.session("weight", scope=f"launch/patient offline_access {SCOPES['weight']}")
    response = await world.client.get(
        f"{FHIR}/Observation", headers={"Authorization": f"Bearer {ana.token['refresh_token']}"}
    )
    assert response.status_code == 401
    assert sha256(ana.token["refresh_token"]).hex() not in response.text


async def test_a_device_is_there_through_a_reading_that_may_be_read_only(world):
    ana = await world.session("weight")
    scale, meter, unused = ana.space.device(), ana.space.device("acme-meter"), ana.space.device()
    ana.space.put("body-weight", "72.40", AT, device=scale)
    ana.space.put("body-fat", "21.0", AT, device=scale)
    ana.space.put("blood-glucose", "101", AT, device=meter)
    ana.space.series("body-weight", unused)
    found = matches(await ana.search("Device"))
    assert [each["id"] for each in found] == [f"d.{scale}"]
    # What the scale measures besides is not shared, and so not told.
    assert [each["systemType"]["coding"][0]["code"] for each in found[0]["specialization"]] == ["528399"]
    assert (await ana.get(f"Device/d.{scale}")).status_code == 200
    for hidden in (f"d.{meter}", f"d.{unused}", f"d.{ana.space.id}", "d.", "D.x", str(scale)):
        assert (await ana.get(f"Device/{hidden}")).status_code == 404, hidden
    denied = [row for row in ana.space.journal() if row.outcome == "deny"]
    assert [(row.event, row.reason) for row in denied] == [("app:device:read", "not referenced")]


async def test_a_device_tells_neither_its_serial_number_nor_what_the_patient_calls_it(world):
    ana = await world.session("weight")
    scale = ana.space.device()
    ana.space.put("body-weight", "72.40", AT, device=scale)
    text = (await ana.get(f"Device/d.{scale}")).text
    assert "own thing" not in text
    assert "AA:" not in text


async def test_without_a_device_scope_there_are_no_devices(world):
    ana = await world.session("glucose")
    meter = ana.space.device("acme-meter")
    ana.space.put("blood-glucose", "101", AT, device=meter)
    assert matches(await ana.search("Device")) == []
    assert (await ana.get(f"Device/d.{meter}")).status_code == 404
    bundle = await ana.search("Observation?_include=Observation:device")
    assert len(matches(bundle)) == 1
    assert matches(bundle, "include") == []
