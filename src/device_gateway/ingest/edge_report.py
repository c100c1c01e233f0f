"""What an edge could not decode: raw bytes of a characteristic, reported so that nothing is lost.

The gateway's own adapter is asked before the edge's verdict is taken: the edge at home may be older than the gateway,
and a replay after an adapter was mended takes this same way.
"""

from datetime import datetime

import msgspec

from device_gateway.ingest.dialects import adapters
from device_gateway.readings.model import Decoded, Reading, Rejected


class EdgeReport(msgspec.Struct):
    """Payload of ``…/raw``: what came over the air in hex, and why the edge's adapter refused it.

    When the refusal rests on several packets, `characteristic` and `hex` name them with spaces between, oldest first.
    """

    message_id: str
    device: str
    adapter: str
    characteristic: str
    hex: str
    pointer: str
    reason: str
    received_at: datetime | None = None  # aware: the time of a measurement whose packet has none


class Envelope(msgspec.Struct):
    """As much of a message in our own dialect as is needed to answer it."""

    message_id: str | None = None


def decode_report(payload: bytes) -> Decoded | Rejected:
    """The readings that our adapter finds in it, or the rejection."""
    try:
        report = msgspec.json.decode(payload, type=EdgeReport)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Rejected("", "not a report of an edge")
    if any("\0" in text for text in msgspec.structs.astuple(report) if isinstance(text, str)):
        return Rejected("", "not a report of an edge: text with the character NUL cannot be kept")
    try:
        packets = list(zip(report.characteristic.split(" "), map(bytes.fromhex, report.hex.split(" ")), strict=True))
    except ValueError:
        return Rejected("/hex", "not one hexadecimal number for each characteristic")
    adapter = next((a for a in adapters() if a.transport == "ble" and a.key == report.adapter), None)
    if adapter is None:
        return Rejected(report.pointer, report.reason)
    decoder = adapter.decoder()
    received_at = report.received_at if report.received_at and report.received_at.tzinfo else None
    found = [item for characteristic, data in packets for item in decoder.feed(characteristic, data, received_at)]
    found += decoder.finish()
    if refused := next((item for item in found if isinstance(item, Rejected)), None):
        return refused
    readings = [msgspec.structs.replace(item, device=report.device) for item in found if isinstance(item, Reading)]
    return Decoded(list(readings), report.message_id) if readings else Rejected(report.pointer, report.reason)


def message_id_of(payload: bytes) -> str | None:
    """What the sender of `payload` awaits an outcome for, where that much can be read."""
    try:
        return msgspec.json.decode(payload, type=Envelope).message_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
