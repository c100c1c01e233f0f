"""`decode`: one JSON value for one packet, and for each line of a batch, whatever is in it."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from device_gateway.commands.decode import app

AT = "2026-11-22T07:31:05+0100"
GLUCOSE = "020100ea070b16071e0572b011"


def run(*arguments: str, lines: bytes | None = None) -> list[Any]:
    result = CliRunner().invoke(app, list(arguments), input=lines)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def ble(characteristic: str, octets: str, *more: str) -> Any:
    (found,) = run("ble", "--characteristic", characteristic, "--hex", octets, "--received-at", AT, *more)
    return found


def test_a_reading_has_the_keys_that_are_promised() -> None:
    assert ble("2A18", GLUCOSE) == [
        {
            "metric": "blood-glucose", "value": "114", "unit": "mg/dL", "at": "2026-11-22T07:30:05", "seq": 1,
            "status": "final", "context": {"sample-type": "capillary-whole-blood", "sample-location": "finger"},
        }
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["2a18", "0x2A18", "00002A18-0000-1000-8000-00805F9B34FB"])
def test_a_characteristic_may_be_written_in_any_form(name: str) -> None:
    assert ble(name, GLUCOSE) == ble("2A18", GLUCOSE)


def test_a_blood_pressure_has_components() -> None:
    pressure, rate = ble("2A35", "06780050005d00ea0707180a0f004800")
    assert pressure["components"] == {"systolic": "120", "diastolic": "80", "mean": "93"}
    assert pressure["value"] is None
    assert (rate["metric"], rate["value"], "components" in rate) == ("heart-rate", "72", False)


@pytest.mark.parametrize(
    ("characteristic", "octets", "pointer"),
    [
        ("2A18", "02", "/sequence"),
        ("2A18", "0g", "/hex"),
        ("2A18", "0", "/hex"),
        ("beef", "00", "/characteristic"),
        ("2A19", "ff", "/battery"),
    ],
)
def test_what_is_refused_names_its_field(characteristic: str, octets: str, pointer: str) -> None:
    found = ble(characteristic, octets)
    assert set(found) == {"rejected"}
    assert found["rejected"]["pointer"] == pointer
    assert found["rejected"]["reason"]


def test_what_says_something_about_the_device_is_facts() -> None:
    assert ble("2A19", "64") == {"facts": {"battery-percent": 100}}


def test_a_packet_may_need_another_before_it() -> None:
    (reading,) = ble("2AA7", "06007800e803", "--before", "2AAA=ea070b140800000400")
    assert (reading["at"], reading["seq"]) == ("2026-11-21T00:40:00+01:00", 1000)
    (live,) = ble("2AA7", "06007800e803")
    assert (live["context"]["effective-time"], live["value"]) == ("received", "120")
    (joined,) = ble("2A34", "02010003", "--before", "2A18=12" + GLUCOSE[2:])
    assert joined["context"]["meal"] == "fasting"


def test_each_line_of_a_batch_has_an_answer_and_none_stops_it() -> None:
    lines = b"2A18 " + GLUCOSE.encode() + b"\nnonsense\n\n\xff\xfe 00\n2A18 zz\n2A9D 00803e\n2A18  0201 00 ea 07\n"
    found = run("ble", "--batch", "--received-at", AT, lines=lines)
    assert [isinstance(answer, list) for answer in found] == [True, False, False, False, False, True, False]
    assert found[5][0]["at"] == "2026-11-22T07:31:05+01:00"


def test_a_message_of_a_broker_is_decoded_by_its_topic() -> None:
    reading = {"metric": "body-weight", "value": "72.40", "unit": "kg", "at": "2026-11-21T07:31:05+01:00"}
    payload = json.dumps({"readings": [reading]})
    ((found,),) = run("mqtt", "--topic", "dg/v1/aa/id/readings", "--payload", payload)
    assert (found["value"], found["status"], found["context"]) == ("72.40", "final", {})
    (refused,) = run("mqtt", "--topic", "dg/v1/aa/id/readings", "--payload", "{")
    assert "rejected" in refused
    (unknown,) = run("mqtt", "--topic", "dg/v1/aa/id/x/nobody/y", "--payload", "{}")
    assert unknown["rejected"]["pointer"] == "/topic"
    (elsewhere,) = run("mqtt", "--topic", "nonsense", "--payload", "{}")
    assert elsewhere["rejected"]["pointer"] == "/topic"


def test_nothing_to_decode_is_a_mistake_of_the_caller() -> None:
    assert CliRunner().invoke(app, ["ble", "--characteristic", "2A18"]).exit_code == 2


BASE = "dg/v1/aa/0b8e7c1e-6f2a-4f0e-9b1d-2a3c4d5e6f70/x/esphome"
CONFIG = json.dumps({"unit_of_meas": "kg", "stat_t": f"{BASE}/sensor/weight/state", "dev": {"ids": "a4cf12aabbcc"}})


def test_a_message_may_need_one_before_it() -> None:
    state = ["--topic", f"{BASE}/sensor/weight/state", "--payload", "72.40"]
    ((reading,),) = run("mqtt", "--before", f"{BASE}/ha/sensor/n/weight/config={CONFIG}", *state)
    assert (reading["value"], reading["unit"], reading["device"]) == ("72.40", "kg", "A4:CF:12:AA:BB:CC")
    (alone,) = run("mqtt", *state)
    assert "discovery" in alone["rejected"]["reason"]


def test_messages_of_a_batch_are_decoded_in_their_order() -> None:
    lines = f"{BASE}/ha/sensor/n/weight/config {CONFIG}\n{BASE}/sensor/weight/state 72.40\nnonsense\n".encode()
    described, (reading,), other = run("mqtt", "--batch", lines=lines + b"\xff\xfe \xff\n")[:3]
    assert (described, reading["value"], other["rejected"]["pointer"]) == ([], "72.40", "/topic")


def test_a_payload_may_be_given_in_hex() -> None:
    topic = "dg/v1/aa/id/x/ble-scale-sync"
    ((reading,),) = run("mqtt", "--topic", topic, "--hex", b'{"weight": 72.40}'.hex())
    assert reading["value"] == "72.40"
    (refused,) = run("mqtt", "--topic", topic, "--hex", "0")
    assert refused["rejected"]["pointer"] == "/hex"
