"""Disconnecting a device from the embedded broker, through its system account."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import msgspec
import nats
from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeoutError

from device_gateway.broker.embedded import AUTH_TIMEOUT_S, SYSTEM_USER
from device_gateway.broker.keys import load_secrets
from device_gateway.settings import Settings

LIST_CONNECTIONS = "$SYS.REQ.SERVER.PING.CONNZ"  # every server of a cluster answers
LISTEN_S = 0.5  # how long answers are awaited; a server answers within milliseconds
CONNECT_S = 5


class _Connection(msgspec.Struct):
    cid: int


class _Connections(msgspec.Struct):
    connections: list[_Connection] = []


class _Server(msgspec.Struct):
    id: str


class _Answer(msgspec.Struct):
    server: _Server
    data: _Connections


async def disconnect_device(settings: Settings, device_id: UUID) -> int:
    """Ends the device's connections at once; returns how many there were. To be called after its release is committed.

    A CONNECT that was being checked at that moment is not listed yet, so a second look follows after the broker's
    authorization time-out: the call takes some seconds. Does nothing without `nats_url`: another broker learns of a
    release through its own files, see `broker.mosquitto`. Raises OSError or nats.errors.Error when the broker is away.
    """
    if not settings.nats_url:
        return 0
    secrets = load_secrets(Path(settings.required("nats_secrets")))
    connection = await nats.connect(
        settings.nats_url, user=SYSTEM_USER, password=secrets.system, name="disconnect", allow_reconnect=False,
        connect_timeout=CONNECT_S,
    )  # fmt: skip
    try:
        ended = await _kick(connection, device_id)
        await asyncio.sleep(AUTH_TIMEOUT_S)
        return ended + await _kick(connection, device_id)
    finally:
        await connection.close()


async def _kick(connection: Client, device_id: UUID) -> int:
    """A device's MQTT client id is its id: the call-out lets no other in."""
    inbox = connection.new_inbox()
    answers = await connection.subscribe(inbox)
    await connection.publish(LIST_CONNECTIONS, msgspec.json.encode({"mqtt_client": str(device_id)}), reply=inbox)
    ended = 0
    deadline = time.monotonic() + LISTEN_S
    with suppress(NatsTimeoutError):
        while (left := deadline - time.monotonic()) > 0:
            answer = msgspec.json.decode((await answers.next_msg(timeout=left)).data, type=_Answer)
            for found in answer.data.connections:
                kick = f"$SYS.REQ.SERVER.{answer.server.id}.KICK"  # without a place to answer to, it is ignored
                await connection.request(kick, msgspec.json.encode({"cid": found.cid}), timeout=CONNECT_S)
                ended += 1
    await answers.unsubscribe()
    return ended
