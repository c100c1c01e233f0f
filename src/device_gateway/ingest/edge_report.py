"""What an edge could not decode: raw bytes of a characteristic, reported so that nothing is lost."""

import msgspec

from device_gateway.readings.model import Rejected


class EdgeReport(msgspec.Struct):
    """Payload of ``…/raw``: what came over the air in hex, and why the edge's adapter refused it."""

    message_id: str
    device: str
    adapter: str
    characteristic: str
    hex: str
    pointer: str
    reason: str

    @classmethod
    def rejection_of(cls, payload: bytes) -> Rejected:
        """The edge's own rejection; or, for a report that is no report, ours."""
        try:
            report = msgspec.json.decode(payload, type=cls)
        except msgspec.DecodeError as error:
            return Rejected("", f"not a report of an edge: {error}")
        return Rejected(report.pointer, report.reason)

    @classmethod
    def message_id_of(cls, payload: bytes) -> str | None:
        try:
            return msgspec.json.decode(payload, type=cls).message_id
        except msgspec.DecodeError:
            return None
