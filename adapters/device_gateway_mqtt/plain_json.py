"""JSON of other products: every number keeps the digits that were sent, and nothing raises but `NotRead`."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from device_gateway.readings.model import Rejected

MOST_DIGITS: Final = 9  # of a value, on either side of the point: what ingestion takes
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,9})?", re.ASCII)
FIRST_YEAR: Final = 2000  # a clock that was never set counts from 1970
MILLISECONDS: Final = 1000


class NotRead(Exception):
    """Carries the rejection."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.reason)
        self.rejected = rejected


def read_json(payload: bytes) -> Any:  # Any: whatever JSON holds; decimals are `Decimal`
    """Raises NotRead."""
    try:
        return json.loads(payload.decode("utf-8"), parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError:
        raise NotRead(Rejected("", "the JSON is nested too deeply")) from None
    except (ValueError, ArithmeticError):
        raise NotRead(Rejected("", "the payload is not JSON in UTF-8")) from None


def read_object(payload: bytes) -> dict[str, Any]:
    """A JSON object. Raises NotRead."""
    found = read_json(payload)
    if not isinstance(found, dict):
        raise NotRead(Rejected("", "a JSON object is needed"))
    return found


def digits_of(value: object) -> str | None:
    """A number as a decimal string with the digits that were sent, also where it was sent as text; None: no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        if not value.is_finite() or not -MOST_DIGITS <= value.adjusted() <= MOST_DIGITS:
            return None
        text = f"{value:f}"
    elif isinstance(value, int):
        text = str(value) if abs(value) < 10**MOST_DIGITS else ""
    elif isinstance(value, str):
        text = value
    else:
        return None
    return text if NUMBER.fullmatch(text) else None


def whole_number(value: object) -> int | None:
    """A whole number that a context may hold."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else None


def time_of(value: object, unit: str) -> datetime | None:
    """`value` as a time: ``iso`` (naive without an offset), ``unix-s``, ``unix-ms``. None: no time of this century."""
    try:
        if unit == "iso":
            at = datetime.fromisoformat(value) if isinstance(value, str) else None
        elif isinstance(value, int | Decimal) and not isinstance(value, bool):
            at = datetime.fromtimestamp(float(value) / (MILLISECONDS if unit == "unix-ms" else 1), UTC)
        else:
            at = None
    except (ValueError, OverflowError, OSError, ArithmeticError):
        return None
    return at if at is not None and at.year >= FIRST_YEAR else None


def _no_constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")
