"""Appending to a space's chain, inside the transaction that does what is recorded."""

from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row
from device_gateway.journal.events import Event

COLUMNS = (
    "space", "name", "actor_kind", "actor_id", "actor_name", "purpose", "resource", "quantity", "outcome", "reason",
    "details",
)  # fmt: skip
APPEND = "SELECT gateway.journal_append(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
APPEND_FROM = f"SELECT gateway.journal_append({', '.join(f'%(journal_{name})s' for name in COLUMNS)}) FROM "


async def record(connection: AsyncConnection[Row], event: Event) -> None:
    """Append `event`. The transaction must be in the space of the event (`space_scope`), or the event in none."""
    await connection.execute(APPEND, _parameters(event))


async def record_with(connection: AsyncConnection[Row], event: Event, call: str, parameters: Mapping[str, Any]) -> bool:
    """Append `event` in one statement with `call`, a function of the database with named `parameters` that opens the
    space of the event and returns a row where it did its work. False where it returned none: nothing was appended."""
    named = {f"journal_{name}": value for name, value in zip(COLUMNS, _parameters(event), strict=True)}
    done = await connection.execute(APPEND_FROM + call, named | dict(parameters))
    return done.rowcount > 0


def record_in_worker(connection: Connection[Row], event: Event) -> None:
    """The same on a synchronous connection: ingestion has no event loop."""
    connection.execute(APPEND, _parameters(event))


def _parameters(event: Event) -> tuple[object, ...]:
    return (
        event.space, event.name, event.actor.kind, event.actor.id, event.actor.name, event.purpose, event.resource,
        event.quantity, event.outcome, event.reason, Jsonb(event.details),
    )  # fmt: skip
