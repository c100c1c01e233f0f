"""Appending to a space's chain, inside the transaction that does what is recorded."""

from psycopg import AsyncConnection, Connection
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row
from device_gateway.journal.events import Event

APPEND = "SELECT gateway.journal_append(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


async def record(connection: AsyncConnection[Row], event: Event) -> None:
    """Append `event`. The transaction must be in the space of the event (`space_scope`), or the event in none."""
    await connection.execute(APPEND, _parameters(event))


def record_in_worker(connection: Connection[Row], event: Event) -> None:
    """The same on a synchronous connection: ingestion has no event loop."""
    connection.execute(APPEND, _parameters(event))


def _parameters(event: Event) -> tuple[object, ...]:
    return (
        event.space, event.name, event.actor.kind, event.actor.id, event.actor.name, event.purpose, event.resource,
        event.quantity, event.outcome, event.reason, Jsonb(event.details),
    )  # fmt: skip
