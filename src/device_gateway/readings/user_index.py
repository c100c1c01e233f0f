"""Which of a shared device's users a reading names. The same rule as `gateway.reading_user` in SQL."""

from collections.abc import Mapping
from typing import Final

USER_INDEX: Final = "user-index"  # context keys, as the adapters of scales and cuffs write them
USER_UNKNOWN: Final = "user-unknown"
LAST_USER: Final = 254  # a user index is an octet; 255 says that the device does not know (Weight Scale Service, 3.2.1)
UNKNOWN_USER: Final = 255


def user_of(context: Mapping[str, object] | None) -> int | None:
    """0 to 254; 255 where the device did not know who it was, or cannot be understood; None where it names no user."""
    if not context:
        return None
    if context.get(USER_UNKNOWN) is True:
        return UNKNOWN_USER
    if USER_INDEX not in context:
        return None
    index = context[USER_INDEX]
    return index if type(index) is int and 0 <= index <= LAST_USER else UNKNOWN_USER
