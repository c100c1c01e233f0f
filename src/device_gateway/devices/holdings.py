"""Who holds which device: the list that a patient sees, a new name, and letting go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.devices.bonds import bond_of, record_erased
from device_gateway.devices.claim_codes import device_name
from device_gateway.devices.edge_commands import command_edge
from device_gateway.devices.models import model_name
from device_gateway.journal import Actor, Event, EventName, record

SYNCS_SHOWN = 3  # rows of activity per device on a page; one row is an hour
DISCONNECT = "broker:disconnect"  # job: the broker ends the device's connection

HELD = """SELECT d.id, d.model, d.kind, d.parent_id, d.hardware_id, h.name, lower(h.during) AS since, h.last_seen_at,
    h.battery_percent, h.clock_skew_s, gateway.inbox_count(d.id) AS waiting, h.online, h.online_since,
    h.rssi_dbm, h.bond_lost_at, b.sealed IS NOT NULL AS bond_kept, b.device_id IS NOT NULL AS bond_known
  FROM gateway.device_holding h JOIN gateway.device d ON d.id = h.device_id
    LEFT JOIN gateway.device_bond b ON b.device_id = d.id AND b.edge_id = d.parent_id
  WHERE h.space_id = %s AND upper_inf(h.during) AND (%s::uuid IS NULL OR d.id = %s)
  ORDER BY h.name, d.id"""
SYNCS = """SELECT a.hour, a.stored, a.duplicate, a.corrected, a.rejected, a.unassigned
  FROM gateway.device_activity a WHERE a.device_id = %s ORDER BY a.hour DESC LIMIT %s"""
RENAME = "UPDATE gateway.device_holding SET name = %s WHERE device_id = %s AND upper_inf(during)"
RELEASE = "SELECT gateway.device_release(%s)"
EDGE_OF = """SELECT e.id FROM gateway.device d JOIN gateway.device e ON e.id = d.parent_id
  JOIN gateway.device_holding h ON h.device_id = e.id AND upper_inf(h.during)
  WHERE d.id = %s AND e.kind = 'edge'"""
NAME = "SELECT name FROM gateway.device_holding WHERE device_id = %s AND upper_inf(during)"
NEW_JOB = "INSERT INTO gateway.job (kind, payload) VALUES (%s, %s)"


@dataclass(frozen=True)
class Sync:
    """Outcomes of one hour. `unassigned` went to the inbox "is this you?"."""

    hour: datetime
    stored: int
    duplicate: int
    corrected: int
    rejected: int
    unassigned: int


@dataclass(frozen=True)
class HeldDevice:
    """A device as its holder sees it.

    clock_skew_s  seconds that its clock is ahead, at the last comparison
    waiting       readings in the inbox "is this you?"
    online        of an edge or hub, since `online_since`; None: it never said
    rssi_dbm      signal at the edge, at the last contact
    bond_lost_at  when the edge found that the device and it no longer know each other
    bond_kept     whether another edge could go on with its bond; None: the edge never said
    """

    id: UUID
    model: str
    model_name: str
    kind: str
    parent: UUID | None
    hardware_id: str | None
    name: str
    since: datetime | None
    last_seen_at: datetime | None
    battery_percent: int | None
    clock_skew_s: int | None
    waiting: int
    syncs: Sequence[Sync]
    online: bool | None = None
    online_since: datetime | None = None
    rssi_dbm: int | None = None
    bond_lost_at: datetime | None = None
    bond_kept: bool | None = None


async def held_devices(connection: AsyncConnection[Row], space: UUID, device: UUID | None = None) -> list[HeldDevice]:
    """Devices that `space` holds now, by name; only `device` if that is given."""
    found = []
    async with space_scope(connection, space):
        rows = await (await connection.execute(HELD, (space, device, device))).fetchall()
        for row in rows:
            syncs = await (await connection.execute(SYNCS, (row.id, SYNCS_SHOWN))).fetchall()
            found.append(
                HeldDevice(
                    row.id, row.model, model_name(row.model), row.kind, row.parent_id, row.hardware_id, row.name,
                    row.since, row.last_seen_at, row.battery_percent, row.clock_skew_s, row.waiting,
                    [Sync(*sync) for sync in syncs],
                    row.online, row.online_since, row.rssi_dbm, row.bond_lost_at,
                    row.bond_kept if row.bond_known else None,
                )
            )  # fmt: skip
    return found


async def rename(connection: AsyncConnection[Row], space: UUID, device: UUID, name: str) -> bool:
    """Whether there was such a device to rename. Raises BadDeviceName."""
    async with space_scope(connection, space):
        return (await connection.execute(RENAME, (device_name(name), device))).rowcount == 1


async def release(connection: AsyncConnection[Row], space: UUID, device: UUID, actor: Actor) -> bool:
    """End the holding: history stays, credentials end. Whether there was one.

    The broker is told to disconnect the device, and an edge of the same space to read it no more.
    """
    async with space_scope(connection, space):
        name = await holding_name(connection, device)
        bond = await bond_of(connection, device)
        row = await (await connection.execute(RELEASE, (device,))).fetchone()
        if row is None or not row[0]:
            return False
        if edge := await (await connection.execute(EDGE_OF, (device,))).fetchone():
            await command_edge(connection, space, edge.id, "forget", device=str(device))
        await connection.execute(NEW_JOB, (DISCONNECT, Jsonb({"device_id": str(device)})))
        event = Event(
            EventName.DEVICE_RELEASED, space, actor, resource=f"Device/{device}", details={"device": name or ""}
        )
        await record(connection, event)
        if bond is not None:
            await record_erased(connection, space, actor, device, name or "")
    return True


async def holding_name(connection: AsyncConnection[Row], device: UUID) -> str | None:
    """What the space that `connection` is in calls a device that it holds."""
    row = await (await connection.execute(NAME, (device,))).fetchone()
    return str(row.name) if row else None
