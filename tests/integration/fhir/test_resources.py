"""Every resource that is served: equal to its golden file, and valid to somebody else's model of FHIR R4.

A golden file is changed on purpose only: apps are written against it. UPDATE_GOLDEN=1 rewrites them.
"""

import json
import os
import re
from decimal import Decimal
from pathlib import Path

from catalogue_host import FHIR
from fhir_world import matches
from fhirclient.models.bundle import Bundle
from fhirclient.models.capabilitystatement import CapabilityStatement
from fhirclient.models.device import Device
from fhirclient.models.observation import Observation
from fhirclient.models.operationoutcome import OperationOutcome

from device_gateway.metrics import METRICS

GOLDEN = Path(__file__).parents[2] / "golden" / "fhir"
AT = "2026-11-21T07:31:05+01:00"
VALUES = {
    "blood-glucose": ("5.60", {"unit": "mmol/L", "context": {"meal": "before-meal", "tester": "self"}}),
    "interstitial-glucose": ("112", {"status": 1}),
    "hba1c": ("6.50", {}),
    "body-weight": ("72.40", {}),
    "muscle-mass": ("31.2", {}),
    "body-height": ("1.71", {"unit": "m"}),
    "waist-circumference": ("84.0", {}),
    "head-circumference": ("56", {}),
    "bmi": ("24.8", {}),
    "body-fat": ("21.05", {}),
    "body-water": ("55", {}),
    "oxygen-saturation": ("97", {}),
    "basal-metabolism": ("1450", {}),
    "blood-pressure": ({"systolic": "121", "diastolic": "79.5"}, {}),
    "heart-rate": ("61", {"offset_known": False}),
    "respiratory-rate": ("14", {}),
    "body-temperature": ("98.6", {"unit": "[degF]"}),
    "steps": ("8042", {}),
    "pain": ("3", {}),
    "peak-flow": ("420", {}),
    "fev1": ("3.05", {}),
    "muscle-percentage": ("43.1", {}),
    "body-water-mass": ("41.250", {}),
}


def valid(model, resource):
    """Strict: unknown elements, wrong types and missing required ones raise."""
    return model(resource, strict=True)


def golden(name, text, replaced):
    """`text` with what differs from run to run replaced, equal to the golden file."""
    for found, word in replaced.items():
        text = text.replace(found, word)
    parsed = json.loads(text, parse_float=lambda digits: f"digits:{digits}")
    indented = re.sub(r'"digits:([^"]+)"', r"\1", json.dumps(parsed, indent=2, ensure_ascii=False)) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(indented, encoding="utf-8")
    assert indented == path.read_text("utf-8")


async def test_a_reading_of_each_metric_is_served_as_its_golden_file(world):
    assert set(VALUES) == set(METRICS)
    ana = await world.session("everything")
    device = ana.space.device()
    for key, (value, options) in VALUES.items():
        reading = ana.space.put(key, value, AT, device=device, **options)
        response = await ana.get(f"Observation/{reading}")
        assert response.status_code == 200
        observation = valid(Observation, response.json())
        assert (observation.valueQuantity is None) == bool(METRICS[key].components)
        golden(
            f"observation-{key}",
            response.text,
            {reading: "r.ID", ana.patient_id: "PAIRING-ID", f"d.{device}": "d.DEVICE"},
        )


async def test_a_device_is_served_as_its_golden_file(world):
    ana = await world.session("everything")
    device = ana.space.device()
    for key in ("body-weight", "body-fat", "blood-glucose"):
        ana.space.put(key, "50", AT, device=device)
    response = await ana.get(f"Device/d.{device}")
    valid(Device, response.json())
    golden("device", response.text, {str(device): "DEVICE", ana.patient_id: "PAIRING-ID"})


async def test_a_reading_from_a_file_says_which_product_measured_it_and_no_more(world):
    ana = await world.session("everything")
    reading = ana.space.put("interstitial-glucose", "104", AT)
    ana.space._execute(
        "INSERT INTO gateway.reading_source (id, space_id, format, device, name)"
        " VALUES (%s, %s, 'libreview', 'SERIAL', 'FreeStyle LibreLink (LibreView)')",
        ana.space.source, ana.space.id,
    )  # fmt: skip
    response = await ana.get(f"Observation/{reading}")
    valid(Observation, response.json())
    assert response.json()["device"] == {"display": "FreeStyle LibreLink (LibreView)"}
    assert "SERIAL" not in response.text


async def test_a_device_that_was_given_away_is_inactive(world):
    ana = await world.session("everything")
    device = ana.space.device(held=False)
    ana.space.put("body-weight", "72.4", AT, device=device)
    assert (await ana.get(f"Device/d.{device}")).json()["status"] == "inactive"


async def test_a_searchset_is_valid_as_a_whole(world):
    ana = await world.session("everything")
    device = ana.space.device()
    for key, (value, options) in VALUES.items():
        ana.space.put(key, value, AT, device=device, **options)
    text = (await ana.get("Observation?_count=7&_include=Observation:device&colour=blue&_total=accurate")).text
    bundle = valid(Bundle, json.loads(text))
    assert bundle.total == len(METRICS)
    assert [entry.search.mode for entry in bundle.entry] == ["match"] * 7 + ["include", "outcome"]
    for entry in bundle.entry[:8]:
        assert entry.fullUrl == f"{FHIR}/{entry.resource.resource_type}/{entry.resource.id}"
    empty = (await ana.get("Observation?code=nothing")).json()
    valid(Bundle, empty)
    assert "entry" not in empty


async def test_metadata_and_errors_are_valid(world):
    valid(CapabilityStatement, (await world.client.get(f"{FHIR}/metadata")).json())
    response = await world.client.get(f"{FHIR}/Observation")
    valid(OperationOutcome, response.json())


async def test_a_corrected_reading_is_one_resource_of_the_next_version(world):
    ana = await world.session("everything")
    reading = ana.space.put("body-weight", "72.40", AT)
    ana.space.put("body-weight", "72.6", AT, version=2)
    response = await ana.get("Observation")
    (observation,) = matches(response.json())
    assert observation["id"] == reading
    assert observation["meta"]["versionId"] == "2"
    assert observation["status"] == "corrected"
    assert '"value":72.6,' in response.text


async def test_a_preliminary_value_that_becomes_final_was_not_corrected(world):
    ana = await world.session("everything")
    ana.space.put("interstitial-glucose", "112", AT, status=1)
    ana.space.put("interstitial-glucose", "113", AT, version=2)
    (observation,) = matches(await ana.search("Observation"))
    assert observation["status"] == "final"


async def test_values_are_decimals_with_their_digits(world):
    ana = await world.session("everything")
    for place, value in enumerate(("70", "70.0", "70.00", "70.000000", "0.300001")):
        ana.space.put("body-weight", value, f"2026-11-2{place}T08:00:00Z")
    text = (await ana.get("Observation?_sort=date")).text
    values = [each["valueQuantity"]["value"] for each in matches(json.loads(text, parse_float=Decimal))]
    assert [str(value) for value in values] == ["70", "70.0", "70.00", "70.000000", "0.300001"]
