"""Nightscout, key ``nightscout``: entries of ``/api/v1/entries.json``, and of `mongoexport`, an object a line or not.

``sgv`` is a sensor's value, ``mbg`` a meter's, both in mg/dL unless ``units`` says mmol. ``date`` is in milliseconds
since 1970 and exact; ``utcOffset`` is in minutes, and 0 also where the uploader did not know it. Other types
hold no reading.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar, Final

from device_gateway.readings.model import Entry, Model, Reading, Rejected, Text
from device_gateway_files.objects import Found, objects_of
from device_gateway_files.values import MG_DL, MMOL_L, NO_TIME, NO_VALUE

KINDS: Final = {"sgv": "interstitial-glucose", "mbg": "blood-glucose"}
ERROR_CODES: Final = frozenset(str(code) for code in range(13))  # of Dexcom sensors: 5 not calibrated, 10 aberration …
EXTENDED: Final = ("$numberLong", "$numberInt", "$numberDouble", "$date")  # MongoDB Extended JSON
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SENSOR_ERROR: Final = Rejected("/sgv", "the sensor gave an error code and no glucose value")
NOT_JSON: Final = Rejected("", "this is no JSON object")
LOOKED_AT: Final = 20  # objects by which a file is recognised


class Nightscout:
    """What an uploader (xDrip, Loop, AAPS, a share bridge …) sent to a Nightscout site."""

    transport: ClassVar[str] = "file"
    key: ClassVar[str] = "nightscout"
    name: ClassVar[str] = "Nightscout"
    models: ClassVar[tuple[Model, ...]] = ()

    def recognises(self, head: str) -> bool:
        for found in objects_of([head]):
            value = found.value or {}
            if ("sgv" in value or "mbg" in value) and ("date" in value or "dateString" in value):
                return True
            if found.number >= LOOKED_AT:
                return False
        return False

    def preamble(self, text: Text) -> str:  # noqa: ARG002  # an object a line needs none
        return ""

    def read(self, text: Text) -> Iterator[Entry]:
        for found in objects_of(text()):
            yield _entry(found)


def _entry(found: Found) -> Entry:
    if found.value is None:
        return Entry(found.number, found.text, NOT_JSON)
    kind = found.value.get("type")
    if kind is None:
        kind = next((key for key in KINDS if key in found.value), None)
    if not isinstance(kind, str) or kind not in KINDS:
        return Entry(found.number, found.text, None)
    return Entry(found.number, found.text, _result(found.value, kind))


def _result(value: dict[str, Any], kind: str) -> Reading | Rejected:
    number = _plain(value.get(kind))
    if number is None and kind == "mbg":
        number = _plain(value.get("sgv"))  # some uploaders put a meter's value there
    if number is None:
        return NO_VALUE
    if kind == "sgv" and number in ERROR_CODES:
        return SENSOR_ERROR
    at = _time(value)
    if at is None:
        return NO_TIME
    device, units = value.get("device"), value.get("units")
    unit = MMOL_L if isinstance(units, str) and units.lower().startswith("mmol") else MG_DL
    return Reading(KINDS[kind], unit, at, number, device=device if isinstance(device, str) and device else None)


def _plain(value: object) -> str | None:
    """A number as it was written, or None."""
    if isinstance(value, dict):
        value = next((value[key] for key in EXTENDED if key in value), None)
    if isinstance(value, bool):
        return None
    return str(value) if isinstance(value, int) else value if isinstance(value, str) and value else None


def _time(value: dict[str, Any]) -> datetime | None:
    """With the offset where one is known, otherwise in UTC; exact to the millisecond."""
    try:
        at = _instant(_plain(value.get("date"))) or _instant(_plain(value.get("dateString")))
        if at is None:
            return None
        if at.utcoffset():
            return at
        minutes = int(_plain(value.get("utcOffset")) or 0)
        return at.astimezone(timezone(timedelta(minutes=minutes))) if minutes else at
    except (ValueError, OverflowError):
        return None


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return EPOCH + timedelta(milliseconds=int(float(text)))
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
