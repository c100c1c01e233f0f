"""Mail addresses as this product writes to them: the plain form of HTML's ``type=email``, nothing quoted, no list."""

import re

from app_catalog.errors import Fault, Unacceptable

MAX_LENGTH = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")


def mailbox(text: str, pointer: str) -> str:
    """The address in `text`. Raises Unacceptable, at `pointer`."""
    address = text.strip()
    if len(address) > MAX_LENGTH or not _ADDRESS.fullmatch(address):
        raise Unacceptable(Fault(pointer, "This is not a mail address."))
    return address
