"""Replaying what is in quarantine, once the adapter that refused it is mended or the device is paired."""

from dataclasses import dataclass

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.database.transient import is_transient
from device_gateway.ingest import quarantine
from device_gateway.ingest.batch import BatchWriter
from device_gateway.ingest.message import Message


@dataclass(frozen=True)
class Replayed:
    """`result` in words, for instance ``stored 2, duplicate 1`` or ``still refused: …``."""

    number: int
    understood: bool
    result: str


def replay(connection: Connection[Row], number: int, days: int) -> Replayed | None:
    """Take row `number` through ingestion again, as the same message at the time it first came; None: no such row.

    Readings already stored are duplicates, so a replay can be repeated.
    """
    row = quarantine.shown(connection, number)
    if row is None:
        return None
    try:
        outcome = BatchWriter(connection, days).commit(
            [Message(row.topic, bytes(row.payload), row.received_at or row.first_at)]
        )
    except Exception as error:  # what broke ingestion once may break it again; the others are to be replayed
        if is_transient(error, connection):
            raise
        return Replayed(number, understood=False, result=f"still breaks ingestion: {type(error).__name__}")
    counts = {name: count for name, count in outcome.outcomes.items() if count and name != "quarantined"}
    if outcome.outcomes["quarantined"]:
        again = quarantine.shown(connection, number)
        words = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        result = f"still refused: {again.reason if again else row.reason}" + (f" ({words})" if words else "")
        quarantine.note_refused(connection, row, again, result)
        return Replayed(number, understood=False, result=result)
    result = ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "understood, holds no reading"
    quarantine.note_replayed(connection, number, result)
    return Replayed(number, understood=True, result=result)
