"""Packets with a published source, decoded as their source says, by the adapter that is found for them."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from device_gateway.readings.model import Reading, Rejected
from device_gateway_ble.blood_pressure import BloodPressureCuff
from device_gateway_ble.body_composition import BodyCompositionScale
from device_gateway_ble.cgm import ContinuousGlucoseMonitor
from device_gateway_ble.device_facts import DeviceFacts
from device_gateway_ble.heart_rate import HeartRateSensor
from device_gateway_ble.pulse_oximeter import PulseOximeter
from device_gateway_ble.thermometer import Thermometer
from device_gateway_ble.weight_scale import WeightScale
from device_gateway_ble.xiaomi_scale import XiaomiScale, decode_advertisement

GOLDEN = Path(__file__).parents[2] / "golden" / "ble"
ADAPTERS = {
    "blood-pressure": BloodPressureCuff,
    "body-composition": BodyCompositionScale,
    "cgm": ContinuousGlucoseMonitor,
    "facts": DeviceFacts,
    "heart-rate": HeartRateSensor,
    "pulse-oximeter": PulseOximeter,
    "thermometer": Thermometer,
    "weight-scale": WeightScale,
}
RECEIVED_AT = datetime.fromisoformat("2026-11-22T07:31:05+01:00")


def cases(name: str) -> list[Any]:
    found = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    assert all(case["source"] for case in found)
    return [pytest.param(name, case, id=f"{name}: {case['name']}") for case in found]


@pytest.mark.parametrize(("profile", "case"), [case for name in ADAPTERS for case in cases(name)])
def test_a_published_packet_is_decoded_as_its_source_says(profile: str, case: dict[str, Any]) -> None:
    adapter = ADAPTERS[profile]
    if "facts" in case:
        (packet,) = case["packets"]
        facts = adapter.facts(packet[0], bytes.fromhex(packet[1]))
        assert as_json([facts])[0] == case["facts"]
    decoder = adapter.decoder()
    results: list[Reading | Rejected] = []
    for characteristic, octets in case["packets"]:
        assert characteristic in adapter.characteristics()
        results += decoder.feed(characteristic, bytes.fromhex(octets), RECEIVED_AT)
    assert as_json(results + decoder.finish()) == case.get("results", [])


@pytest.mark.parametrize(("_", "case"), cases("xiaomi-scale"))
def test_a_published_broadcast_is_decoded_as_its_source_says(_: str, case: dict[str, Any]) -> None:
    data = {service: bytes.fromhex(octets) for service, octets in case["service_data"].items()}
    key = bytes.fromhex(case["bind_key"]) if "bind_key" in case else None
    at = datetime.fromisoformat(case["received_at"]) if "received_at" in case else RECEIVED_AT
    assert as_json(decode_advertisement(data, {}, at, key, case.get("address"))) == case["results"]
    decoder = XiaomiScale.decoder(key, case.get("address"))
    assert as_json([r for packet in data.items() for r in decoder.feed(*packet, at)]) == case["results"]
    assert decoder.finish() == []


def as_json(results: list[Any]) -> list[Any]:
    return [
        {"rejected": {"pointer": result.pointer, "reason": result.reason}}
        if isinstance(result, Rejected)
        else msgspec.to_builtins(result)
        for result in results
    ]
