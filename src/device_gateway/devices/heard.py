"""Devices that a patient's hubs spoke for and that are not registered: offered to be added, then taken in again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.accounts.account import Account
from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.devices.local_names import local, qualified
from device_gateway.devices.models import KnownModel, known_model, known_models
from device_gateway.devices.pairing import attach, hardware_identity
from device_gateway.ingest.replay import Wanted, ask_for_replay

HEARD = """SELECT u.hub_id, h.name AS hub_name, u.name, u.dialect, u.metrics, u.seen, u.first_at, u.last_at
  FROM gateway.heard_device u JOIN gateway.device_holding h ON h.device_id = u.hub_id AND upper_inf(h.during)
  WHERE h.space_id = %s ORDER BY u.last_at DESC, u.name"""
KNOWN = "DELETE FROM gateway.heard_device WHERE hub_id = %s AND upper(name) = upper(%s)"


@dataclass(frozen=True)
class HeardDevice:
    """`name` as the hub calls it, `models` what it could be, `metrics` what it said that it measures."""

    hub: UUID
    hub_name: str
    name: str
    models: Sequence[KnownModel]
    metrics: Sequence[str]
    seen: int
    first_at: datetime
    last_at: datetime


async def heard_devices(connection: AsyncConnection[Row], space: UUID) -> list[HeardDevice]:
    """What the hubs of `space` heard while it held them, the latest first."""
    async with space_scope(connection, space):
        rows = await (await connection.execute(HEARD, (space,))).fetchall()
    return [
        HeardDevice(
            row.hub_id,
            row.hub_name,
            local(row.hub_id, row.name),
            _models(row.dialect),
            row.metrics,
            row.seen,
            row.first_at,
            row.last_at,
        )
        for row in rows
    ]


async def attach_heard(
    connection: AsyncConnection[Row],
    account: Account,
    space: UUID,
    *,
    hub: UUID,
    model: str,
    hardware_id: str,
    name: str,
    since: datetime,
) -> UUID:
    """`attach`, and what the hub sent for the device before is taken in again by a job. Raises as `attach`."""
    known = known_model(model)
    if known.transport == "mqtt" and known.model.kind == "device" and hardware_id.strip():
        hardware_id = qualified(hub, hardware_identity(known, hardware_id))
    async with space_scope(connection, space):
        device = await attach(
            connection, account, space, hub=hub, model=model, hardware_id=hardware_id, name=name, since=since
        )
        await connection.execute(KNOWN, (hub, hardware_id))
        await ask_for_replay(connection, Wanted(sender=str(hub)))
    return device


def _models(dialect: str) -> list[KnownModel]:
    return [
        known
        for known in known_models().values()
        if known.transport == "mqtt" and known.dialect == dialect and known.model.kind == "device"
    ]
