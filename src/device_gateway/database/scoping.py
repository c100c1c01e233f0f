"""The one way to a patient's rows: a transaction that says whose space it is.

Row-level security and the view `gateway.reading_scoped` compare with ``app.space``. Outside of `space_scope` it is
empty, and every such table looks empty too.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.database.pool import Row


@asynccontextmanager
async def space_scope(connection: AsyncConnection[Row], space_id: UUID) -> AsyncIterator[AsyncConnection[Row]]:
    """A transaction in which only the rows of `space_id` exist. Commits at the end, rolls back on an exception."""
    async with connection.transaction():
        await enter_space(connection, space_id)
        yield connection


async def enter_space(connection: AsyncConnection[Row], space_id: UUID) -> None:
    """Say, inside a transaction already open, whose space it is; forgotten when the transaction ends."""
    await connection.execute("SELECT set_config('app.space', %s, true)", (str(space_id),))
