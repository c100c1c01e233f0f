"""The session of a sensor, our side: what it is at, and starting one where its wearer asked for it.

Procedures: Continuous Glucose Monitoring Service 1.0.2, 3.4 and 3.6. A start needs the time as well, since the sensor
counts minutes from then on and has no clock that anybody else sets.
"""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import structlog

from device_gateway.transports.ble.adapter import SensorSessions
from device_gateway.transports.ble.errors import BluetoothError, NoAnswer
from device_gateway.transports.ble.link import AttributeRefused, Link

ANSWER_S: Final = 30.0
SUCCESS: Final = "success"
STARTABLE: Final = ("waiting", "ended")

_log = structlog.get_logger(__name__)


class SessionRefused(BluetoothError):
    """The sensor did not start its session."""


async def read_session(link: Link, sessions: SensorSessions) -> dict[str, bytes]:
    """What the sensor shows of its session, as far as it does. Raises LinkLost or NoAnswer."""
    values = {}
    for uuid in sessions.reads:
        if link.has(uuid):
            try:
                values[uuid] = await link.read(uuid)
            except AttributeRefused as refused:
                _log.info("ble.not_readable", characteristic=uuid[4:8], why=refused.message)
    return values


async def start_session(link: Link, sessions: SensorSessions, shown: Mapping[str, bytes], now: datetime) -> None:
    """Starts a session and tells the sensor the time `now` (aware). Raises SessionRefused, NoAnswer or LinkLost.

    Some sensors want the time before, some forget it with the start: it is told again where it did not stay.
    """
    await _tell_time(link, sessions, shown, now)
    await link.subscribe(sessions.control_point)
    await link.write(sessions.control_point, sessions.start_request(shown))
    answer = await _answer(link, sessions)
    if answer != SUCCESS:
        raise SessionRefused(f"the sensor did not start its session: {answer}")
    if not sessions.has_start(await read_session(link, sessions)):
        await _tell_time(link, sessions, shown, now)


async def _tell_time(link: Link, sessions: SensorSessions, shown: Mapping[str, bytes], now: datetime) -> None:
    try:
        await link.write(sessions.start_time, sessions.start_time_value(shown, now))
    except AttributeRefused as refused:
        _log.info("ble.session_time_refused", code=refused.code)


async def _answer(link: Link, sessions: SensorSessions) -> str:
    others: list[tuple[str, bytes]] = []
    deadline = time.monotonic() + ANSWER_S
    try:
        while (left_s := deadline - time.monotonic()) > 0:
            uuid, value = await link.notification(left_s)
            if uuid != sessions.control_point:
                others.append((uuid, value))
            elif (answer := sessions.answer(value)) is not None:
                return answer
    finally:
        link.unread(others)
    raise NoAnswer("the sensor does not answer whether it starts its session")
