"""What fails for one patient is undone, written down and tried again later: nobody else waits for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final
from uuid import UUID

import structlog

from app_catalog.space import space
from app_catalog.wiring import Connection

# A minute after the first failure, twice as long after each further one, six hours at most.
POSTPONE: Final = """INSERT INTO catalogue.setback (work, subject, attempts, due_at, error)
  VALUES (%(work)s, %(subject)s, 1, clock_timestamp() + interval '1 minute', %(error)s)
  ON CONFLICT (work, subject) DO UPDATE SET attempts = setback.attempts + 1, error = excluded.error,
    due_at = clock_timestamp() + least(interval '1 minute' * 2 ^ least(setback.attempts, 20), interval '6 hours')
  RETURNING attempts"""
WAITS: Final = "SELECT catalogue.waits(%s, %s) AS waits"
DONE: Final = "DELETE FROM catalogue.setback WHERE work = %s AND subject = %s"

log = structlog.get_logger(__name__)


class Work(StrEnum):
    """What is done for one patient after the other. The functions that list who is due know these words."""

    ANNOUNCEMENT = "announcement"
    END = "end"
    LIST = "list"
    MAJORITY = "majority"
    QUESTION = "question"


@asynccontextmanager
async def alone(connection: Connection, work: Work, subject: UUID) -> AsyncIterator[None]:
    """The `space` of one patient, in which whatever fails is put off for that patient and raised to nobody; only a
    database that is away is everybody's matter."""
    try:
        async with space(connection, subject):
            yield
            await connection.execute(DONE, (work.value, subject))
    except Exception as error:
        if connection.closed:
            raise
        async with space(connection, subject):
            parameters = {"work": work.value, "subject": subject, "error": type(error).__name__}
            [row] = await (await connection.execute(POSTPONE, parameters)).fetchall()
        log.warning("put off", work=work.value, attempt=row.attempts, error=type(error).__name__)


async def is_put_off(connection: Connection, work: Work, subject: UUID) -> bool:
    """Whether it failed for this patient a while ago, and waits. Who lists what is due by a function of the database
    need not ask: it leaves these out."""
    async with space(connection, subject):
        row = await (await connection.execute(WAITS, (work.value, subject))).fetchone()
    return row is not None and bool(row.waits)
