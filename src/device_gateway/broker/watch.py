"""Looks after what the embedded broker has no limit for: how many connections a device has, and how much it sends.

Every few seconds it compares how many messages each busy connection has published; one that sends more than
`Settings.mqtt_flood` a second is ended, and its device is let in again after a pause. What it sent before is kept and
handled like any other message. Each worker's responder watches by itself, so all of them refuse alike.
"""

import asyncio
import time
from uuid import UUID

import msgspec
import nats.errors
import structlog
from nats.aio.client import Client

from device_gateway.broker.control import connections, end, system_connection
from device_gateway.settings import Settings

LOOK_S = 5.0  # between looks: a flood of a moment, such as a history sent at once, is none
PAUSE_S = 60.0  # until a device that flooded is let in again
BUSIEST = 256  # connections compared, those that have published most

log = structlog.get_logger(__name__)


class Watch:
    """`run` looks; the rest answers at once from what it saw."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._look_s = LOOK_S
        self._connection: Client | None = None
        self._paused: dict[UUID, float] = {}
        self._sent: dict[tuple[str, int], int] = {}

    def paused(self, device: UUID) -> bool:
        return self._paused.get(device, 0.0) > time.monotonic()

    async def connections(self, device: UUID) -> int:
        """How many the device has now, with one that is being let in; 0 while the watch is not connected."""
        if self._connection is None:
            return 0
        return len(await connections(self._connection, {"user": str(device)}, servers=1))

    async def run(self) -> None:
        """Until cancelled. Raises nats.errors.Error when the broker was never there."""
        self._connection = await system_connection(self._settings, "watch", lasting=True)
        try:
            while True:
                await asyncio.sleep(self._look_s)
                if self._settings.mqtt_flood and self._connection.is_connected:
                    await self._look(self._connection)
        finally:
            connection, self._connection = self._connection, None
            await connection.close()

    async def _look(self, connection: Client) -> None:
        try:
            busiest = await connections(connection, {"sort": "msgs_from", "limit": BUSIEST})
            now = time.monotonic()
            limit = self._settings.mqtt_flood * self._look_s
            for one in busiest:
                before = self._sent.get((one.server, one.cid), one.messages)
                if one.messages - before > limit and (device := _device(one.user)):
                    self._paused[device] = now + PAUSE_S
                    log.warning("mqtt connection ended: it sent too much", device=str(device))
                    await end(connection, one)
            self._sent = {(one.server, one.cid): one.messages for one in busiest}
            self._paused = {device: until for device, until in self._paused.items() if until > now}
        except (nats.errors.Error, msgspec.MsgspecError) as error:
            log.warning("connections not looked at", error=type(error).__name__)


def _device(user: str) -> UUID | None:
    """None for a user that is none: ingestion and the like may send as much as there is."""
    try:
        return UUID(user)
    except ValueError:
        return None
