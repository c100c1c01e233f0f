"""Ends connections at Mosquitto that a reload leaves: those by a certificate that was revoked meanwhile.

A session has one connection: who connects under a client id ends the one before. On the listeners for devices that id
is the device's; on the one for ingestion, which is ours, it may be any.
"""

import time
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from psycopg import Connection

from device_gateway.broker.rights import INGEST_USER
from device_gateway.database.pool import Row
from device_gateway.settings import LOOPBACK

ANSWER_S: Final = 5.0  # of a broker on this host
REVOKED: Final = (
    "SELECT serial, device_id FROM gateway.device_certificate WHERE revoked_at IS NOT NULL AND until > now()"
)


class Revoked:
    """Whose certificates were revoked since the last look. Those of before the first look cannot connect."""

    def __init__(self) -> None:
        self._known: set[str] | None = None

    def look(self, connection: Connection[Row]) -> set[UUID]:
        found = {row.serial: row.device_id for row in connection.execute(REVOKED)}
        fresh = set() if self._known is None else found.keys() - self._known
        self._known = set(found)
        return {found[serial] for serial in fresh}


def end_sessions(port: int, password: str, devices: Iterable[UUID]) -> None:
    """End the connection and the session of each. `port`, `password`: of ingestion. Raises OSError when nobody answers.

    One that has another certificate comes back by itself.
    """
    for device in devices:
        taker = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=str(device), clean_session=True)
        taker.username_pw_set(INGEST_USER, password)
        taker.connect(LOOPBACK, port)
        deadline = time.monotonic() + ANSWER_S
        while not taker.is_connected() and time.monotonic() < deadline:
            taker.loop(0.1)
        taker.disconnect()
        taker.loop(0.1)
