"""What an edge could not decode: raw bytes of a characteristic, reported so that nothing is lost.

The gateway's own adapter is asked before the edge's verdict is taken: the edge at home may be older than the gateway,
and a replay after an adapter was mended takes this same way.
"""

import msgspec

from device_gateway.ingest.dialects import adapters
from device_gateway.readings.model import Decoded, Reading, Rejected


class EdgePacket(msgspec.Struct):
    characteristic: str
    hex: str


class EdgeReport(msgspec.Struct):
    """Payload of ``…/raw``: what came over the air in hex, and why the edge's adapter refused it.

    packets  what the refusal rests on, oldest first; without it, the one packet of `characteristic` and `hex`
    """

    message_id: str
    device: str
    adapter: str
    characteristic: str
    hex: str
    pointer: str
    reason: str
    packets: list[EdgePacket] = []


def decode_report(payload: bytes) -> Decoded | Rejected:
    """The readings that our adapter finds in it, or the rejection."""
    try:
        report = msgspec.json.decode(payload, type=EdgeReport)
        packets = [
            (packet.characteristic, bytes.fromhex(packet.hex))
            for packet in report.packets or [EdgePacket(report.characteristic, report.hex)]
        ]
    except (msgspec.DecodeError, ValueError) as error:
        return Rejected("", f"not a report of an edge: {error}")
    adapter = next((a for a in adapters() if a.transport == "ble" and a.key == report.adapter), None)
    if adapter is None:
        return Rejected(report.pointer, report.reason)
    decoder = adapter.decoder()
    found = [item for characteristic, data in packets for item in decoder.feed(characteristic, data)]
    found += decoder.finish()
    if refused := next((item for item in found if isinstance(item, Rejected)), None):
        return refused
    readings = [msgspec.structs.replace(item, device=report.device) for item in found if isinstance(item, Reading)]
    return Decoded(list(readings), report.message_id) if readings else Rejected(report.pointer, report.reason)


def message_id_of(payload: bytes) -> str | None:
    try:
        return msgspec.json.decode(payload, type=EdgeReport).message_id
    except msgspec.DecodeError:
        return None
