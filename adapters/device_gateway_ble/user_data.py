"""User Data Service (0x181C): who of several users stands on the scale.

Layout: User Data Service 1.1; GATT Specification Supplement. A scale of Beurer or Sanitas, and others that follow the
service, gives a user's measurements only after the consent code of that user.
"""

from dataclasses import dataclass
from typing import Final

from device_gateway.readings.model import ContextValue
from device_gateway_ble.octets import Octets, RefusedField, named
from device_gateway_ble.uuids import assigned

REGISTER, CONSENT, DELETE, LIST_USERS, DELETE_USERS, RESPONSE = 0x01, 0x02, 0x03, 0x04, 0x05, 0x20
OPERATIONS: Final = {
    REGISTER: "register",
    CONSENT: "consent",
    DELETE: "delete-user-data",
    LIST_USERS: "list-users",
    DELETE_USERS: "delete-users",
}
RESPONSES: Final = {
    1: "success",
    2: "operation-not-supported",
    3: "invalid-parameter",
    4: "failed",
    5: "not-authorised",
}
UNKNOWN_USER: Final = 0xFF
HIGHEST_CODE: Final = 9999  # User Data Service, 3.2.2: consent codes are 0 … 9999


@dataclass(frozen=True, slots=True)
class Answer:
    """What the scale answered to `request`; `user_index` of a newly registered user."""

    request: str
    response: str
    user_index: int | None = None

    def facts(self) -> dict[str, ContextValue]:
        """All of it in one mapping."""
        known: dict[str, ContextValue] = {"request": self.request, "response": self.response}
        return known if self.user_index is None else known | {"user-index": self.user_index}


def register(code: int) -> bytes:
    """Asks for a new user with this consent code. Raises ValueError."""
    return bytes([REGISTER]) + _code(code)


def consent(user_index: int, code: int) -> bytes:
    """Asks for the data of a user. Raises ValueError."""
    if not 0 <= user_index < UNKNOWN_USER:
        raise ValueError("a user index is 0 … 254")
    return bytes([CONSENT, user_index]) + _code(code)


def delete() -> bytes:
    """Asks to delete the data of the user who consented."""
    return bytes([DELETE])


def parse_control_point(data: bytes) -> Answer:
    """User Control Point (0x2A9F), an answer. Raises RefusedField."""
    octets = Octets(data)
    if octets.unsigned(1, "/operation") != RESPONSE:
        raise RefusedField("/operation", "this is no answer of the scale")
    request = octets.unsigned(1, "/request")
    name = named(request, OPERATIONS, "/request")
    response = octets.unsigned(1, "/response")
    answer = named(response, RESPONSES, "/response")
    user_index = None
    if response == 1 and request == REGISTER:
        user_index = octets.unsigned(1, "/user")
    elif response == 1 and request == LIST_USERS:
        octets.take(octets.left, "/users")  # initials of each user: not ours to know
    octets.end()
    return Answer(name, answer, user_index)


def parse_user_index(data: bytes) -> int | None:
    """User Index (0x2A9A): the user who consented; None where it is nobody. Raises RefusedField."""
    octets = Octets(data)
    user_index = octets.unsigned(1, "/user")
    octets.end()
    return None if user_index == UNKNOWN_USER else user_index


def parse_change_increment(data: bytes) -> int:
    """Database Change Increment (0x2A99): grows with each change of the user's data. Raises RefusedField."""
    octets = Octets(data)
    increment = octets.unsigned(4, "/change-increment")
    octets.end()
    return increment


def change_increment_octets(increment: int) -> bytes:
    """The value to write to Database Change Increment (0x2A99) once the user's data was changed."""
    return increment.to_bytes(4, "little")


class UserControlPoint:
    """What a device that tells people apart is asked, and how its answers read."""

    characteristic: Final = assigned(0x2A9F)
    register = staticmethod(register)
    consent = staticmethod(consent)

    @staticmethod
    def answer(data: bytes) -> Answer | None:
        """None for what is no answer. Never raises."""
        try:
            return parse_control_point(data)
        except RefusedField:
            return None


def _code(code: int) -> bytes:
    if not 0 <= code <= HIGHEST_CODE:
        raise ValueError(f"a consent code is 0 … {HIGHEST_CODE}")
    return code.to_bytes(2, "little")
