"""Appending to a space's chain, inside the transaction that does what is recorded."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row
from device_gateway.journal.events import Event

TYPES = {
    "space": "uuid", "event": "text", "actor_kind": "text", "actor_id": "text", "actor_name": "text", "purpose": "text",
    "resource": "text", "quantity": "int", "outcome": "text", "reason": "text", "details": "jsonb",
}  # fmt: skip
APPEND = f"SELECT gateway.journal_append({', '.join(['%s'] * len(TYPES))})"

RECENT = """SELECT FROM gateway.journal WHERE space_id = %s AND at > clock_timestamp() - interval '1 hour'
  AND event = %s AND actor_id = %s AND reason = %s LIMIT 1"""


async def record(connection: AsyncConnection[Row], event: Event) -> None:
    """Append `event`. The transaction must be in the space of the event (`space_scope`), or the event in none."""
    await connection.execute(APPEND, _parameters(event))


async def record_hourly(connection: AsyncConnection[Row], event: Event) -> None:
    """The same for what whoever causes it may cause without end, and nobody gains: an event whose actor and reason the
    journal of its space has from less than an hour ago is not written again."""
    known = await connection.execute(RECENT, (event.space, event.name, event.actor.id, event.reason))
    if not known.rowcount:
        await record(connection, event)


async def record_each_with(
    connection: AsyncConnection[Row],
    function: str,
    types: Sequence[str],
    done: Sequence[tuple[Event, Sequence[Any]]],
) -> list[bool]:
    """Append events in one statement with calls of `function`, which has parameters of `types`, opens the space of the
    event and returns a row where it did its work. False where it returned none: nothing was appended then."""
    asked = [[nth, *_values(event), *own] for nth, (event, own) in enumerate(done)]
    statement, names = _append_each(function, tuple(types))
    rows = json.dumps([dict(zip(names, row, strict=True)) for row in asked], default=_as_text)
    cursor = await connection.execute(statement, (rows,))
    worked = {row.nth for row in await cursor.fetchall()}
    return [nth in worked for nth in range(len(done))]


@cache
def _append_each(function: str, types: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """A row of the result comes after its call, and is appended before the next call opens another space.

    The rows come as one JSON text: that takes a tenth of the time of an array for each of two dozen columns.
    """
    own = {f"own{n}": kind for n, kind in enumerate(types)}
    columns = {"nth": "int"} | TYPES | own
    listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    statement = f"""SELECT nth, gateway.journal_append({", ".join(TYPES)})
        FROM json_to_recordset(%s::json) AS asked ({listed}) CROSS JOIN LATERAL {function}({", ".join(own)})"""
    return statement, tuple(columns)


def _as_text(value: object) -> str:
    """As PostgreSQL reads it."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


def record_in_worker(connection: Connection[Row], event: Event) -> None:
    """The same on a synchronous connection: ingestion has no event loop."""
    connection.execute(APPEND, _parameters(event))


def _parameters(event: Event) -> tuple[object, ...]:
    return (*_values(event)[:-1], Jsonb(event.details))


def _values(event: Event) -> tuple[object, ...]:
    return (
        event.space, event.name, event.actor.kind, event.actor.id, event.actor.name, event.purpose, event.resource,
        event.quantity, event.outcome, event.reason, event.details,
    )  # fmt: skip
