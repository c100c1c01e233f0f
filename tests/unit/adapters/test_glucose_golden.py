"""Packets with a published source, decoded as their source says. The file is only added to."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from device_gateway.readings.model import Reading, Rejected
from device_gateway_ble.glucose import GlucoseMeter

CASES = json.loads((Path(__file__).parents[2] / "golden" / "ble" / "glucose.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_published_packet_is_decoded_as_its_source_says(case: dict[str, Any]) -> None:
    decoder = GlucoseMeter.decoder()
    feeds = [decoder.feed(characteristic, bytes.fromhex(octets)) for characteristic, octets in case["packets"]]
    assert [_as_json(results) for results in feeds] == case["feeds"]
    assert _as_json(decoder.finish()) == case["finish"]


def _as_json(results: list[Reading | Rejected]) -> list[Any]:
    return [
        {"rejected": {"pointer": result.pointer, "reason": result.reason}}
        if isinstance(result, Rejected)
        else msgspec.to_builtins(result)
        for result in results
    ]
