"""The one way to rows that belong to a patient: a transaction that says whose space it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from app_catalog.wiring import Connection


@asynccontextmanager
async def space(connection: Connection, subject: UUID) -> AsyncIterator[None]:
    """A transaction (a savepoint inside another one) in which only the rows of `subject` exist."""
    async with connection.transaction():
        await connection.execute("SELECT set_config('app.space', %s, true)", (str(subject),))
        yield
