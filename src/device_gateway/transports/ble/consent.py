"""User Data (0x181C), our side: a scale that tells people apart says nothing of anybody without their consent code.

Procedures: User Data Service 1.1, 3.2. Consent holds for one connection.
"""

import time
from dataclasses import dataclass
from typing import Final

from device_gateway.transports.ble.adapter import UserAnswer, UserControl
from device_gateway.transports.ble.errors import BluetoothError, NoAnswer
from device_gateway.transports.ble.link import Link

ANSWER_S: Final = 30.0  # User Data Profile 1.0: a procedure without an answer for 30 s has failed
SUCCESS: Final = "success"


@dataclass(frozen=True, slots=True)
class User:
    """One of the users of a scale, and the code that stands for their consent (0 … 9999)."""

    index: int
    code: int


class ConsentRefused(BluetoothError):
    """The scale gives this user's measurements only with the consent code that it shows itself."""

    exit_code = 77  # EX_NOPERM


async def give_consent(link: Link, control: UserControl, user: User) -> None:
    """What `user` measured may be fetched on this connection. Raises ConsentRefused, NoAnswer or LinkLost."""
    answer = await _ask(link, control, control.consent(user.index, user.code))
    if answer.response != SUCCESS:
        raise ConsentRefused(f"the scale refuses the consent of user {user.index}: {answer.response}")


async def register_user(link: Link, control: UserControl, code: int) -> User:
    """One more user, whose code is `code`. Raises ConsentRefused where the scale takes none, NoAnswer or LinkLost."""
    answer = await _ask(link, control, control.register(code))
    if answer.response != SUCCESS or answer.user_index is None:
        raise ConsentRefused(f"the scale registers no further user: {answer.response}")
    return User(answer.user_index, code)


async def _ask(link: Link, control: UserControl, request: bytes) -> UserAnswer:
    """The answer to `request`; what the scale sent meanwhile can still be read from the link."""
    await link.subscribe(control.characteristic)
    await link.write(control.characteristic, request)
    others: list[tuple[str, bytes]] = []
    deadline = time.monotonic() + ANSWER_S
    try:
        while (left_s := deadline - time.monotonic()) > 0:
            uuid, value = await link.notification(left_s)
            if uuid != control.characteristic:
                others.append((uuid, value))
            elif (answer := control.answer(value)) is not None:
                return answer
    finally:
        link.unread(others)
    raise NoAnswer("the scale does not answer whether it knows this user")
