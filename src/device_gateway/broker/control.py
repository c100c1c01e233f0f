"""Listing and ending connections at the embedded broker, through its system account."""

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


class Connected(msgspec.Struct, frozen=True):
    """A connection as a server lists it. `user` is the device's id, `messages` what it has published so far."""

    cid: int
    server: str = ""
    user: str = msgspec.field(name="authorized_user", default="")
    messages: int = msgspec.field(name="in_msgs", default=0)


class _Connections(msgspec.Struct):
    connections: list[Connected] = []


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
    connection = await system_connection(settings, "disconnect")
    try:
        ended = await _end_all(connection, device_id)
        await asyncio.sleep(AUTH_TIMEOUT_S)
        return ended + await _end_all(connection, device_id)
    finally:
        await connection.close()


async def system_connection(settings: Settings, name: str, *, lasting: bool = False) -> Client:
    """A connection as the broker's system user; one that is `lasting` comes back after the broker was away."""
    secrets = load_secrets(Path(settings.required("nats_secrets")))
    return await nats.connect(
        settings.required("nats_url"), user=SYSTEM_USER, password=secrets.system, name=name,
        allow_reconnect=lasting, max_reconnect_attempts=-1 if lasting else 0, connect_timeout=CONNECT_S,
    )  # fmt: skip


async def connections(
    connection: Client, wanted: dict[str, str | int | bool], *, servers: int | None = None
) -> list[Connected]:
    """What the servers list for `wanted` (options of CONNZ). `servers`: how many to wait for; None: for `LISTEN_S`."""
    inbox = connection.new_inbox()
    answers = await connection.subscribe(inbox)
    await connection.publish(LIST_CONNECTIONS, msgspec.json.encode({"auth": True, **wanted}), reply=inbox)
    found: list[Connected] = []
    heard, deadline = 0, time.monotonic() + LISTEN_S
    with suppress(NatsTimeoutError):
        while heard != servers and (left := deadline - time.monotonic()) > 0:
            answer = msgspec.json.decode((await answers.next_msg(timeout=left)).data, type=_Answer)
            found += [msgspec.structs.replace(one, server=answer.server.id) for one in answer.data.connections]
            heard += 1
    await answers.unsubscribe()
    return found


async def end(connection: Client, one: Connected) -> None:
    """Close it. Without a place to answer to, the server would ignore the request."""
    kick = f"$SYS.REQ.SERVER.{one.server}.KICK"
    await connection.request(kick, msgspec.json.encode({"cid": one.cid}), timeout=CONNECT_S)


async def _end_all(connection: Client, device_id: UUID) -> int:
    """By user and by client id: a product may choose its client id; of a CONNECT under way the user is not known."""
    ended = set()
    for wanted in ({"user": str(device_id)}, {"mqtt_client": str(device_id)}):
        for one in await connections(connection, dict(wanted)):
            if (one.server, one.cid) not in ended:
                await end(connection, one)
                ended.add((one.server, one.cid))
    return len(ended)
