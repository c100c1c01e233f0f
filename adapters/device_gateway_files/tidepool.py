"""Tidepool, key ``tidepool``: the JSON of "Export my data", an array of objects of many types.

``cbg`` is a sensor's value, ``smbg`` a meter's; ``time`` is UTC, ``timezoneOffset`` minutes east of it. Tidepool keeps
mmol/L and divides what a device showed in mg/dL by 18.01559 (docs.tidepool.org, "units"): a value with more digits than
any device shows is multiplied back, so that it is again the number that the patient saw.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final

from device_gateway.readings.model import Entry, Model, Reading, Rejected, Text
from device_gateway_files.objects import Found, objects_of
from device_gateway_files.values import ABOVE, BELOW, MG_DL, MMOL_L, NO_TIME, NO_VALUE

KINDS: Final = {"cbg": "interstitial-glucose", "smbg": "blood-glucose"}
UNITS: Final = {"mg/dl": MG_DL, "mmol/l": MMOL_L}
FACTOR: Final = Decimal("18.01559")
DIGITS_SHOWN: Final = 3  # after the point: meters in mmol/L show one, laboratories two or three
DIGITS_KEPT: Final = 5
WHOLE_WITHIN: Final = Decimal("0.001")  # mg/dL: how near a converted value must be to a whole number
MEALS: Final = {"pre-meal": "before-meal", "post-meal": "after-meal"}
OUT_OF_RANGE: Final = "bg/out-of-range"
NOT_JSON: Final = Rejected("", "this is no JSON object")
NO_UNIT: Final = Rejected("/units", "mg/dL or mmol/L is needed")
LOOKED_AT: Final = 50  # objects by which a file is recognised


class Tidepool:
    """What a patient uploaded to Tidepool, from any device."""

    transport: ClassVar[str] = "file"
    key: ClassVar[str] = "tidepool"
    name: ClassVar[str] = "Tidepool"
    models: ClassVar[tuple[Model, ...]] = ()

    def recognises(self, head: str) -> bool:
        for found in objects_of([head]):
            value = found.value or {}
            if "type" in value and "time" in value and ("uploadId" in value or "deviceId" in value or "units" in value):
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
    if not isinstance(kind, str) or kind not in KINDS:
        return Entry(found.number, found.text, None)
    return Entry(found.number, found.text, _result(found.value, kind))


def _result(value: dict[str, Any], kind: str) -> Reading | Rejected:
    number, unit = value.get("value"), UNITS.get(str(value.get("units")).lower())
    if isinstance(number, bool) or not isinstance(number, int | str) or number == "":
        return NO_VALUE
    if unit is None:
        return NO_UNIT
    annotations = value.get("annotations")
    for note in annotations if isinstance(annotations, list) else ():
        if isinstance(note, dict) and note.get("code") == OUT_OF_RANGE:
            return BELOW if note.get("value") == "low" else ABOVE
    at = _time(value)
    if at is None:
        return NO_TIME
    device = value.get("deviceId")
    text, unit = _as_shown(str(number), unit)
    meal = MEALS.get(str(value.get("mealTag")))
    return Reading(
        KINDS[kind], unit, at, text, device=device if isinstance(device, str) and device else None,
        context={"meal": meal} if meal else None,
    )  # fmt: skip


def _as_shown(text: str, unit: str) -> tuple[str, str]:
    """The number and unit that the device showed."""
    if len(text.partition(".")[2]) <= DIGITS_SHOWN:
        return text, unit
    try:
        exact = Decimal(text)
        converted = exact * FACTOR
        whole = converted.to_integral_value()
        rounded = f"{exact:.{DIGITS_KEPT}f}"
    except InvalidOperation:
        return text, unit
    if unit == MMOL_L and abs(converted - whole) <= WHOLE_WITHIN:
        return str(whole), MG_DL
    return rounded, unit


def _time(value: dict[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value.get("time")))
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        minutes = value.get("timezoneOffset")
        if isinstance(minutes, int) and minutes:
            return at.astimezone(timezone(timedelta(minutes=minutes)))
        return at.astimezone(UTC) if not at.utcoffset() else at
    except (ValueError, OverflowError):
        return None
