"""What msgspec says about JSON of the wrong form ▸ a JSON pointer (RFC 6901) and a reason without any content."""

import re

import msgspec

from device_gateway.readings.model import Rejected

_AT = re.compile(r"(?P<reason>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_CHOICE = re.compile(r"Invalid enum value .*", re.DOTALL)  # it repeats what was sent

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)  # all that msgspec raises on bytes from outside


def rejection(error: Exception, prefix: str = "") -> Rejected:
    """`error` is one of `UNREADABLE`; `prefix` is the pointer of the value that was being read."""
    if isinstance(error, RecursionError):
        return Rejected(prefix, "the JSON is nested too deeply")
    if not isinstance(error, msgspec.ValidationError):
        return Rejected(prefix, "the payload is not JSON in UTF-8")
    match = _AT.fullmatch(str(error))
    reason, path = (match["reason"], match["path"] or "") if match else (str(error), "")
    pointer = prefix + "".join(f"/{_escaped(name or index)}" for name, index in _STEP.findall(path))
    if missing := _MISSING.match(reason):
        return Rejected(f"{pointer}/{_escaped(missing['field'])}", "this field is required")
    return Rejected(pointer, _CHOICE.sub("not one of the values that this field knows", reason))


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")
