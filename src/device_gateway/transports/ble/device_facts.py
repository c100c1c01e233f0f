"""What a device tells about itself, whatever it measures: make, battery, clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from device_gateway.readings.model import ClockMeasurement
from device_gateway.transports.ble.errors import AccessRefused
from device_gateway.transports.ble.link import Link

_SUFFIX = "-0000-1000-8000-00805f9b34fb"  # the Bluetooth Base UUID
MANUFACTURER = f"00002a29{_SUFFIX}"
MODEL = f"00002a24{_SUFFIX}"
SERIAL = f"00002a25{_SUFFIX}"
BATTERY_LEVEL = f"00002a19{_SUFFIX}"
CURRENT_TIME = f"00002a2b{_SUFFIX}"

TEXT_LIMIT = 120  # characters: what a device says of itself is shown and stored, so it has an end
CLOCK_TAKEN_S = 60  # seconds: some devices keep minutes only
_CURRENT_TIME_OCTETS = 10
_ADJUSTED_BY_HAND = 1  # adjust reason, Current Time Service 1.1, 3.1.1


@dataclass(frozen=True, slots=True)
class Make:
    """Device Information (0x180A), empty where the device says nothing."""

    manufacturer: str
    model: str
    serial: str


async def read_make(link: Link) -> Make:
    """Who made it and which one it is. Raises BluetoothError when the link fails."""
    return Make(await _text(link, MANUFACTURER), await _text(link, MODEL), await _text(link, SERIAL))


async def read_battery_percent(link: Link) -> int | None:
    """Battery Level (0x2A19); None where the device has none or says more than 100."""
    value = await _optional(link, BATTERY_LEVEL)
    return value[0] if value and value[0] <= 100 else None


async def read_clock(link: Link) -> ClockMeasurement | None:
    """The device's clock against ours, at the middle of the read; None where it has no clock or never set it.

    Current Time (0x2A2B) is read to 1/256 s; the read itself takes some hundredths of a second.
    """
    before = datetime.now().astimezone()
    value = await _optional(link, CURRENT_TIME)
    after = datetime.now().astimezone()
    raw = parse_current_time(value) if value else None
    return None if raw is None else ClockMeasurement(raw=raw, measured_at=before + (after - before) / 2)


async def set_clock(link: Link, now: datetime) -> bool:
    """Writes the local time of `now` (aware) and reads it back; whether the device took it over.

    Raises BluetoothError when the link fails.
    """
    if not link.has(CURRENT_TIME):
        return False
    try:
        await link.write(CURRENT_TIME, current_time(now))
    except AccessRefused:  # shows its clock and lets nobody set it
        return False
    shown = await read_clock(link)
    if shown is None:
        return False
    return abs(shown.raw - shown.measured_at.replace(tzinfo=None)) < timedelta(seconds=CLOCK_TAKEN_S)


def current_time(now: datetime) -> bytes:
    """A Current Time value: wall clock, day of the week from Monday = 1, 1/256 s, adjusted by hand."""
    wall = bytes([*now.year.to_bytes(2, "little"), now.month, now.day, now.hour, now.minute, now.second])
    return wall + bytes([now.isoweekday(), now.microsecond * 256 // 1_000_000, _ADJUSTED_BY_HAND])


def parse_current_time(value: bytes) -> datetime | None:
    """The wall clock in a Current Time value, naive; None when it is not set, or no time at all."""
    if len(value) != _CURRENT_TIME_OCTETS:
        return None
    year = int.from_bytes(value[:2], "little")
    month, day, hour, minute, second, _weekday, fraction = value[2:9]
    try:
        shown = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  a device's clock has no zone
        return shown + timedelta(seconds=fraction / 256)
    except (ValueError, OverflowError):
        return None


async def _optional(link: Link, uuid: str) -> bytes | None:
    if not link.has(uuid):
        return None
    try:
        return await link.read(uuid)
    except AccessRefused:  # has it and does not show it: no reason to give up the records
        return None


async def _text(link: Link, uuid: str) -> str:
    value = await _optional(link, uuid)
    text = (value or b"").split(b"\0", 1)[0].decode("utf-8", "replace")
    return "".join(character for character in text if character.isprintable())[:TEXT_LIMIT].strip()
