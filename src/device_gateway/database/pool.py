"""One asynchronous pool per process, its connections wearing a role with the least privilege."""

from typing import Any, Literal

from psycopg import AsyncConnection, Connection, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool

Role = Literal["gateway_owner", "gateway_app", "gateway_ingest"]
Row = Any  # named tuples whose fields depend on the query
AsyncPool = AsyncConnectionPool[AsyncConnection[Row]]

POOL_SIZE = 8  # connections: with a transaction of 1-2 ms each, more only queue inside the server
LOCK_TIMEOUT = "2s"  # a queue on one row must not drain the pool
# Parameters of libpq, unless the URL says otherwise: a server that is gone without a word is noticed within 20 s.
NOTICE_LOSS: dict[str, Any] = {
    "connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}  # fmt: skip


def open_pool(url: str, role: Role, *, size: int = POOL_SIZE) -> AsyncPool:
    """A pool, still closed, to be used as ``async with``; autocommit, rows as named tuples, `role` assumed.

    The user of `url` is `role` itself or a member of it.
    """

    async def assume(connection: AsyncConnection[Row]) -> None:
        await connection.execute(_assume(role))

    return AsyncConnectionPool(
        url,
        min_size=2,
        max_size=size,
        open=False,
        configure=assume,
        kwargs={"autocommit": True, "row_factory": namedtuple_row, "options": f"-c lock_timeout={LOCK_TIMEOUT}"},
    )


def connect(url: str, role: Role) -> Connection[Row]:
    """One synchronous connection, autocommit, rows as named tuples, `role` assumed. For workers and commands."""
    parameters = NOTICE_LOSS | conninfo_to_dict(url)
    connection: Connection[Row] = Connection.connect(autocommit=True, row_factory=namedtuple_row, **parameters)
    connection.execute(_assume(role))
    return connection


def _assume(role: Role) -> sql.Composed:
    return sql.SQL("SET ROLE {}").format(sql.Identifier(role))
