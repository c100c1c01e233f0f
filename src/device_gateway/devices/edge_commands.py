"""Commands to an edge: written in the transaction of whoever asks, published by a job, gone once they are sent."""

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import paho.mqtt.publish
from paho.mqtt.enums import MQTTProtocolVersion
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row, open_pool
from device_gateway.database.scoping import space_scope
from device_gateway.devices.topics import topic_of
from device_gateway.settings import Settings
from device_gateway.transports.mqtt.broker_url import parse_broker_url
from device_gateway.transports.mqtt.tls import tls_context

PUBLISH = "edge:command"  # job
KEEP_ALIVE_S = 10

NEW = "INSERT INTO gateway.edge_command (space_id, edge_id, command, body) VALUES (%s, %s, %s, %s) RETURNING id"
NEW_JOB = "INSERT INTO gateway.job (kind, payload) VALUES (%s, %s)"
WAITING = "SELECT edge_id, body FROM gateway.edge_command WHERE id = %s AND sent_at IS NULL FOR UPDATE"
SENT = "UPDATE gateway.edge_command SET sent_at = now(), body = NULL WHERE id = %s"

Json = str | int | float | bool


async def command_edge(
    connection: AsyncConnection[Row], space: UUID, edge: UUID, command: str, **details: Json
) -> None:
    """Has `edge` told, soon after the commit. To be called within `space_scope`; `edge` is known to be the space's."""
    body = {"command": command, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **details}
    [row] = await (await connection.execute(NEW, (space, edge, command, Jsonb(body)))).fetchall()
    await connection.execute(NEW_JOB, (PUBLISH, Jsonb({"command": str(row.id), "space": str(space)})))


async def publish_command(settings: Settings, payload: dict[str, Any]) -> None:
    """The job: what one command says, at QoS 1, as the ingest user. Once; raises OSError while the broker is away."""
    command, space = UUID(payload["command"]), UUID(payload["space"])
    pool = open_pool(settings.required("database_url"), "gateway_app", size=2)
    async with pool, pool.connection() as connection, space_scope(connection, space):
        row = await (await connection.execute(WAITING, (command,))).fetchone()
        if row is None:
            return
        await asyncio.to_thread(_publish, settings, row.edge_id, msgspec.json.encode(row.body))
        await connection.execute(SENT, (command,))


def _publish(settings: Settings, edge: UUID, payload: bytes) -> None:
    url = parse_broker_url(settings.required("mqtt_url"))
    auth: Any = {"username": url.username, "password": url.password} if url.username else None  # Any: paho's own types
    tls: Any = tls_context(settings.mqtt_ca, settings.mqtt_certificate) if url.tls else None
    paho.mqtt.publish.single(
        topic_of(edge, "command"),
        payload,
        qos=1,
        hostname=url.host,
        port=url.port,
        client_id=f"dg-command-{secrets.token_hex(8)}",
        keepalive=KEEP_ALIVE_S,
        auth=auth,
        tls=tls,
        protocol=MQTTProtocolVersion.MQTTv311,
    )
