"""The patient of a token: an id that only this app knows, and nothing else."""

from catalogue_host import WEIGHT_SCOPE
from fhir_world import matches


async def test_the_patient_of_the_token_is_an_id_and_nothing_else(world):
    ana = await world.session("weight")
    told = {"resourceType": "Patient", "id": ana.patient_id, "active": True}
    assert (await ana.get(f"Patient/{ana.patient_id}")).json() == told
    assert matches(await ana.search("Patient")) == [told]
    assert matches(await ana.search(f"Patient?_id={ana.patient_id}")) == [told]
    assert [row.event for row in ana.space.journal() if row.outcome == "permit"].count("app:patient:read") == 3


async def test_another_patient_is_unknown(world):
    ana, bob = await world.session("weight"), await world.session("weight")
    assert (await ana.get(f"Patient/{bob.patient_id}")).status_code == 404
    assert (await ana.get(f"Patient/{ana.space.id}")).status_code == 404
    assert matches(await ana.search(f"Patient?_id={bob.patient_id}")) == []


async def test_a_token_that_was_not_granted_who_the_patient_is_opens_no_patient(world):
    ana = await world.session("weight", scope=WEIGHT_SCOPE)
    assert (await ana.get(f"Patient/{ana.patient_id}")).status_code == 404
    assert matches(await ana.search("Patient")) == []
    denied = [row.reason for row in ana.space.journal() if row.outcome == "deny"]
    assert denied == ["no scope", "no scope"]
