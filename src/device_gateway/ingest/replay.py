"""Replaying what is in quarantine, once the adapter that refused it is mended or the device is paired."""

from dataclasses import asdict, dataclass
from typing import Final

from psycopg import AsyncConnection, Connection
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row, connect
from device_gateway.database.transient import is_transient
from device_gateway.ingest import quarantine
from device_gateway.ingest.batch import BatchWriter
from device_gateway.ingest.message import Message
from device_gateway.settings import Settings

JOB: Final = "quarantine:replay"  # job: what the portal asks for is done by a process that may ingest
NEW_JOB = "INSERT INTO gateway.job (kind, payload) VALUES (%s, %s)"


@dataclass(frozen=True)
class Wanted:
    """What to replay: one row, all of a group that wait, or all of a sender that wait."""

    number: int | None = None
    group: int | None = None
    sender: str | None = None


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


async def ask_for_replay(connection: AsyncConnection[Row], wanted: Wanted) -> None:
    """Leave a job, in the transaction that is open."""
    payload = {name: value for name, value in asdict(wanted).items() if value is not None}
    await connection.execute(NEW_JOB, (JOB, Jsonb(payload)))


def replay_wanted(settings: Settings, wanted: Wanted) -> list[Replayed]:
    """Do what such a job asks; what is no longer there is passed over."""
    with connect(settings.ingest_url, "gateway_ingest") as connection:
        numbers = [wanted.number] if wanted.number is not None else []
        if wanted.group is not None or wanted.sender is not None:
            numbers = quarantine.waiting(connection, group=wanted.group, sender=wanted.sender)
        found = [replay(connection, number, settings.quarantine_days) for number in numbers]
    return [one for one in found if one is not None]
