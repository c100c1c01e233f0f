"""What an edge could not decode is looked at again by the gateway's own adapter."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.ingest.edge_report import decode_report
from device_gateway.readings.model import Decoded, Reading, Rejected
from device_gateway.transports.ble.sync import Refusal
from device_gateway.transports.edge.messages import raw_message

DEVICE = "2f3a1c1e-6d55-4c5e-9d55-1f0d1a2b3c4d"
MEASUREMENT = "1b0400e407070e0b06055a0277b0f80000"  # of tests/golden/ble/glucose.json: 119 mg/dL, context follows
CONTEXT = "020400" + "01"  # sequence 4, before a meal


def report(characteristic: str = "2A18", octets: str = MEASUREMENT, **more: str) -> bytes:
    fields = {
        "message_id": "m", "device": DEVICE, "adapter": "ble-glucose", "characteristic": characteristic, "hex": octets,
        "pointer": "/flags", "reason": "the edge's verdict",
    }  # fmt: skip
    return msgspec.json.encode(fields | more)


def test_what_a_newer_adapter_understands_becomes_a_reading_of_that_device() -> None:
    found = decode_report(report())
    assert isinstance(found, Decoded)
    [reading] = found.readings
    assert isinstance(reading, Reading)
    assert (reading.value, reading.device, found.message_id) == ("119", DEVICE, "m")


def test_a_measurement_and_its_context_come_together() -> None:
    found = decode_report(report("2A18 2A34", f"{MEASUREMENT} {CONTEXT}"))
    assert isinstance(found, Decoded)
    [reading] = found.readings
    assert isinstance(reading, Reading)
    assert reading.context is not None
    assert "meal" in reading.context
    assert "context-missing" not in reading.context


def test_a_report_is_read_as_the_edge_writes_it() -> None:
    rejected = Rejected("/context/sequence", "the measurement that it belongs to was rejected")
    packets = (("2A18", bytes.fromhex(MEASUREMENT)), ("2A34", bytes.fromhex(CONTEXT)))
    spooled = raw_message(Refusal(rejected, packets), DEVICE, "ble-glucose")
    assert isinstance(decode_report(spooled.body), Decoded)
    empty = raw_message(Refusal(Rejected("", "nothing in it"), (("2A18", b""),)), DEVICE, "ble-glucose")
    found = decode_report(empty.body)
    assert isinstance(found, Rejected)
    assert found.pointer != "/hex", "an empty value is a truncated one, not a malformed report"


@pytest.mark.parametrize("octets", ["1b0400", "1b", ""])
def test_a_truncated_value_stays_rejected_with_the_gateways_own_reason(octets: str) -> None:
    found = decode_report(report(octets=octets))
    assert isinstance(found, Rejected)
    assert found.reason != "the edge's verdict"


def test_without_the_adapter_the_verdict_of_the_edge_counts() -> None:
    assert decode_report(report(adapter="ble-unheard-of")) == Rejected("/flags", "the edge's verdict")


@pytest.mark.parametrize(
    ("characteristic", "octets"), [("2A18", "xyz"), ("2A18", "1b 04"), ("2A18 2A34", "1b"), ("2A18", "1b0")]
)
def test_packets_that_do_not_fit_their_names_are_rejected_at_the_octets(characteristic: str, octets: str) -> None:
    found = decode_report(report(characteristic, octets))
    assert isinstance(found, Rejected)
    assert found.pointer == "/hex"


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(payload: bytes) -> None:
    assert isinstance(decode_report(payload), Decoded | Rejected)


@given(st.text(max_size=8), st.text("0123456789abcdefxyz ", max_size=40))
def test_no_report_makes_it_raise(characteristic: str, octets: str) -> None:
    assert isinstance(decode_report(report(characteristic, octets)), Decoded | Rejected)


def test_text_that_cannot_be_kept_is_rejected() -> None:
    assert isinstance(decode_report(report(reason="no\0thing")), Rejected)
    assert isinstance(decode_report(report(device="no\0thing")), Rejected)
