"""Appending to a space's chain, inside the transaction that does what is recorded."""

from collections.abc import Sequence
from functools import cache
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
TYPES = ("uuid", "text", "text", "text", "text", "text", "text", "int", "text", "text", "jsonb")


async def record(connection: AsyncConnection[Row], event: Event) -> None:
    """Append `event`. The transaction must be in the space of the event (`space_scope`), or the event in none."""
    await connection.execute(APPEND, _parameters(event))


async def record_each_with(
    connection: AsyncConnection[Row],
    function: str,
    types: Sequence[str],
    done: Sequence[tuple[Event, Sequence[Any]]],
) -> list[bool]:
    """Append events in one statement with calls of `function`, which has parameters of `types`, opens the space of the
    event and returns a row where it did its work. False where it returned none: nothing was appended then."""
    columns = [list(values) for values in zip(*((*_parameters(event), *own) for event, own in done), strict=True)]
    cursor = await connection.execute(_append_each(function, tuple(types)), columns)
    worked = {row.n for row in await cursor.fetchall()}
    return [n in worked for n in range(1, len(done) + 1)]


@cache
def _append_each(function: str, types: tuple[str, ...]) -> str:
    """A row of the result comes after its call, and is appended before the next call opens another space."""
    own = ", ".join(f"own{n}" for n in range(len(types)))
    return f"""SELECT n, gateway.journal_append({", ".join(COLUMNS)})
        FROM unnest({", ".join(f"%s::{name}[]" for name in (*TYPES, *types))})
          WITH ORDINALITY AS q ({", ".join(COLUMNS)}, {own}, n) CROSS JOIN LATERAL {function}({own})"""


def record_in_worker(connection: Connection[Row], event: Event) -> None:
    """The same on a synchronous connection: ingestion has no event loop."""
    connection.execute(APPEND, _parameters(event))


def _parameters(event: Event) -> tuple[object, ...]:
    return (
        event.space, event.name, event.actor.kind, event.actor.id, event.actor.name, event.purpose, event.resource,
        event.quantity, event.outcome, event.reason, Jsonb(event.details),
    )  # fmt: skip
