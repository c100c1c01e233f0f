"""What any device may say of itself: Device Information (0x180A), Battery (0x180F), time (0x1805), users (0x181C).

The adapter ``ble-facts`` gives facts and never a reading; no device is of this kind alone. Layouts: GATT Specification
Supplement.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import ClassVar, Final

from device_gateway.readings.model import Model, Rejected
from device_gateway_ble.current_time import parse_current_time, parse_local_time
from device_gateway_ble.measuring import FactParser, Facts, MeasurementDecoder, facts_of
from device_gateway_ble.octets import Octets, RefusedField, named
from device_gateway_ble.user_data import parse_change_increment, parse_control_point, parse_user_index

TEXT_LIMIT: Final = 120  # characters: what a device says of itself is shown and stored, so it has an end
VENDOR_SOURCES: Final = {1: "bluetooth-sig", 2: "usb"}


def parse_text(data: bytes) -> str:
    """A name or number in UTF-8, up to the first zero octet. Raises RefusedField."""
    try:
        text = data.split(b"\0", 1)[0].decode()
    except UnicodeDecodeError as error:
        raise RefusedField("/text", "not UTF-8") from error
    return "".join(character for character in text if character.isprintable())[:TEXT_LIMIT].strip()


def parse_system_id(data: bytes) -> Facts:
    """System ID (0x2A23): 24 bits given by the IEEE and 40 by the maker, as an EUI-64. Raises RefusedField."""
    octets = Octets(data)
    identifier = octets.unsigned(8, "/system-id")
    octets.end()
    return {"system-id": f"{identifier:016X}"}


def parse_plug_and_play_id(data: bytes) -> Facts:
    """PnP ID (0x2A50). Raises RefusedField."""
    octets = Octets(data)
    facts: Facts = {"vendor-source": named(octets.unsigned(1, "/vendor-source"), VENDOR_SOURCES, "/vendor-source")}
    for key in ("vendor", "product", "version"):
        facts[key] = f"{octets.unsigned(2, f'/{key}'):04X}"
    octets.end()
    return facts


def parse_battery(data: bytes) -> Facts:
    """Battery Level (0x2A19). Raises RefusedField."""
    octets = Octets(data)
    percent = octets.unsigned(1, "/battery")
    octets.end()
    if percent > 100:
        raise RefusedField("/battery", "more than 100 %")
    return {"battery-percent": percent}


def _text(key: str) -> Callable[[bytes], Facts]:
    return lambda data: {key: parse_text(data)}


def _current_time(data: bytes) -> Facts:
    shown = parse_current_time(data)
    facts: Facts = {"clock": _iso(shown.clock)}
    if shown.weekday:
        facts["weekday"] = shown.weekday
    if shown.reasons:
        facts["set-by"] = shown.reasons
    return facts


def _local_time(data: bytes) -> Facts:
    offset_min = parse_local_time(data)
    return {} if offset_min is None else {"utc-offset-min": offset_min}


def _user_index(data: bytes) -> Facts:
    user_index = parse_user_index(data)
    return {"user-unknown": True} if user_index is None else {"user-index": user_index}


def _iso(clock: datetime) -> str:
    return clock.isoformat(timespec="milliseconds" if clock.microsecond else "seconds")


_FACTS: Final[Mapping[str, FactParser]] = {
    "2A23": parse_system_id,
    "2A24": _text("model"),
    "2A25": _text("serial"),
    "2A26": _text("firmware"),
    "2A27": _text("hardware"),
    "2A28": _text("software"),
    "2A29": _text("manufacturer"),
    "2A50": parse_plug_and_play_id,
    "2A19": parse_battery,
    "2A2B": _current_time,
    "2A0F": _local_time,
    "2A9F": lambda data: parse_control_point(data).facts(),
    "2A9A": _user_index,
    "2A99": lambda data: {"change-increment": parse_change_increment(data)},
}


class DeviceFacts:
    """Found by entry point like the other adapters; no advertisement is matched."""

    key: ClassVar[str] = "ble-facts"
    transport: ClassVar[str] = "ble"
    models: ClassVar[tuple[Model, ...]] = ()
    notifies: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def matches(cls, service_uuids: Collection[str]) -> bool:  # noqa: ARG003  part of what an adapter offers
        """False: these services say nothing about what a device measures."""
        return False

    @classmethod
    def characteristics(cls) -> Collection[str]:
        """The characteristics that the adapter decodes, 16 bits in hex."""
        return _FACTS.keys()

    @classmethod
    def decoder(cls) -> MeasurementDecoder:
        """A decoder that checks these values and gives no readings."""
        return MeasurementDecoder(cls.key, {}, _FACTS)

    @classmethod
    def facts(cls, characteristic: str, data: bytes) -> Facts | Rejected | None:
        """What a characteristic says; None where this adapter does not know it. Never raises."""
        return facts_of(_FACTS, characteristic, data)
