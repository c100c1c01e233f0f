"""An edge that takes the place of another one, whose host is gone: a claim code says which."""

from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from device_gateway.accounts.account import Account
from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.devices.claim_codes import make_claim_code
from device_gateway.devices.holdings import DISCONNECT, NEW_JOB, RELEASE, holding_name
from device_gateway.devices.models import EDGE, KnownModel
from device_gateway.errors import GatewayError, NotFound
from device_gateway.journal import Actor, Event, EventName, record

HELD_EDGE = """SELECT h.name FROM gateway.device d JOIN gateway.device_holding h ON h.device_id = d.id
  WHERE d.id = %s AND d.kind = 'edge' AND upper_inf(h.during)"""
REPLACES = "SELECT replaces FROM gateway.claim_code WHERE hash = %s AND replaces IS NOT NULL"
REPLACE = "SELECT gateway.edge_replace(%s, %s) AS moved"


class WantsEdge(GatewayError):
    """This claim code is for the edge that takes the place of another one."""

    http_status = 422


async def replacement_code(
    connection: AsyncConnection[Row], account: Account, space: UUID, edge: UUID, *, minutes: int, now: datetime
) -> tuple[str, str]:
    """A claim code, made at `now`, for the edge that takes the place of `edge`, and its name. Raises NotFound."""
    async with space_scope(connection, space):
        row = await (await connection.execute(HELD_EDGE, (edge,))).fetchone()
        if row is None:
            raise NotFound
        code = await make_claim_code(connection, space, account, row.name, now, minutes, now=now, replaces=edge)
    return code, str(row.name)


async def take_place(
    connection: AsyncConnection[Row], digest: bytes, space: UUID, edge: UUID, known: KnownModel
) -> None:
    """What the code with this hash, just redeemed by `edge`, says of another one: its devices are `edge`'s from now
    on, and it can sign in no more. In the transaction and the space of the redemption. Raises WantsEdge."""
    row = await (await connection.execute(REPLACES, (digest,))).fetchone()
    if row is None:
        return
    if known.model.kind != EDGE.kind:
        raise WantsEdge
    old, name = row.replaces, await holding_name(connection, edge)
    [moved] = await (await connection.execute(REPLACE, (old, edge))).fetchall()
    await connection.execute(RELEASE, (old,))
    await connection.execute(NEW_JOB, (DISCONNECT, Jsonb({"device_id": str(old)})))
    event = Event(
        EventName.EDGE_REPLACED, space, Actor("device", str(edge), known.model.name),
        resource=f"Device/{edge}", quantity=moved.moved, details={"device": name or ""},
    )  # fmt: skip
    await record(connection, event)
