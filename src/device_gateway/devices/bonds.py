"""Bonds that the gateway keeps for devices behind an edge, and handing them to the edge that carries a device now."""

from base64 import b64encode
from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from psycopg import AsyncConnection

from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.devices.bond_box import BoxClosed, seal, unseal
from device_gateway.devices.models import known_models
from device_gateway.errors import Forbidden
from device_gateway.journal import Actor, Event, EventName, record

BOND = "SELECT sealed FROM gateway.device_bond WHERE device_id = %s AND sealed IS NOT NULL"
SPACE = "SELECT gateway.edge_space(%s)"
CARRIED = """SELECT d.id, d.model, d.hardware_id, h.name, b.sealed FROM gateway.device d
    JOIN gateway.device_holding h ON h.device_id = d.id AND upper_inf(h.during)
    LEFT JOIN gateway.device_bond b ON b.device_id = d.id AND b.edge_id = d.parent_id
  WHERE d.parent_id = %s AND d.hardware_id IS NOT NULL ORDER BY h.name, d.id"""


class NotAnEdge(Forbidden):
    """Only an edge reads devices whose bonds are kept."""


@dataclass(frozen=True)
class Carried:
    """A device that an edge reads. `bond`: its keys in a box for that edge, base64; None where none are kept."""

    device: UUID
    model: str
    adapter: str
    hardware_id: str
    bond: str | None


async def bond_of(connection: AsyncConnection[Row], device: UUID) -> bytes | None:
    """The box that is kept for a device of the space that `connection` is in."""
    row = await (await connection.execute(BOND, (device,))).fetchone()
    return bytes(row.sealed) if row else None


async def record_erased(connection: AsyncConnection[Row], space: UUID, actor: Actor, device: UUID, name: str) -> None:
    """The database erased the bond with the holding; the journal of that space says so."""
    resource = f"Device/{device}"
    await record(connection, Event(EventName.BOND_ERASED, space, actor, resource=resource, details={"device": name}))


async def hand_on(
    connection: AsyncConnection[Row], edge: UUID, key: X25519PrivateKey | None, edge_key: str
) -> list[Carried]:
    """What `edge` (identified by its credentials) carries, with the bonds that are kept, sealed for its `edge_key`.

    A bond that `key` does not open is one that is not kept. Each that is handed on is in the journal. Raises NotAnEdge,
    or ValueError for an `edge_key` that is no public key.
    """
    row = await (await connection.execute(SPACE, (edge,))).fetchone()
    if row is None or row[0] is None:
        raise NotAnEdge
    space, found = UUID(str(row[0])), []
    async with space_scope(connection, space):
        for device in await (await connection.execute(CARRIED, (edge,))).fetchall():
            known = known_models().get(device.model)
            if known is None:
                continue
            bond = _opened(device.sealed, key, device.id)
            if bond is not None:
                await record(
                    connection,
                    Event(
                        EventName.BOND_HANDED_ON, space, Actor("device", str(edge)),
                        resource=f"Device/{device.id}", details={"device": device.name},
                    ),
                )  # fmt: skip
                bond = seal(bond, edge_key, str(device.id))
            text = None if bond is None else b64encode(bond).decode()
            found.append(Carried(device.id, device.model, known.dialect, device.hardware_id, text))
    return found


def _opened(box: bytes | None, key: X25519PrivateKey | None, device: UUID) -> bytes | None:
    if box is None or key is None:
        return None
    try:
        return unseal(bytes(box), key, str(device))
    except BoxClosed:
        return None
