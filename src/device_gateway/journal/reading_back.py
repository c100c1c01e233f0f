"""The journal as its patient reads it: pages of rows, newest first, and a check that nothing was changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope

PAGE = """SELECT n, at, event, actor_kind, actor_id, actor_name, purpose, resource, quantity, outcome, reason, details
  FROM gateway.journal
  WHERE space_id = %(space)s AND n < %(before)s
    AND (%(kind)s::text IS NULL OR actor_kind = %(kind)s)
    AND (%(since)s::timestamptz IS NULL OR at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
  ORDER BY n DESC LIMIT %(limit)s"""
NEWEST = 2**63 - 1  # before this number comes everything

# Each row must follow the one before it and have the hash of what it says; the first follows a hash of the space.
FIRST_BROKEN = """SELECT min(n) FROM (
    SELECT j.n, j.n = row_number() OVER w
      AND j.previous = coalesce(lag(j.hash) OVER w, sha256(uuid_send(j.space_id)))
      AND j.hash = gateway.journal_hash(j) AS sound
    FROM gateway.journal j WHERE j.space_id = %s WINDOW w AS (ORDER BY j.n)) AS checked
  WHERE NOT sound"""
LAST = "SELECT n, hash FROM gateway.journal WHERE space_id = %s ORDER BY n DESC LIMIT 1"
END = "SELECT n, hash FROM gateway.journal_end()"


@dataclass(frozen=True)
class Entry:
    """One row. `n` counts from 1 in each space; the other fields are those of `Event`."""

    n: int
    at: datetime
    event: str
    actor_kind: str
    actor_id: str | None
    actor_name: str | None
    purpose: str | None
    resource: str | None
    quantity: int | None
    outcome: str
    reason: str | None
    details: Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True)
class Intact:
    """Nothing was changed, removed or put between; `rows` were checked."""

    rows: int


@dataclass(frozen=True)
class Broken:
    """Row `n` is the first that does not follow: it or its neighbour was changed, or is missing."""

    n: int


async def page(
    connection: AsyncConnection[Row],
    space: UUID,
    *,
    before: int | None = None,
    actor_kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
) -> Sequence[Entry]:
    """Up to `limit` rows with a number below `before`, newest first, from `since` on and before `until`."""
    parameters = {
        "space": space, "before": NEWEST if before is None else before, "kind": actor_kind, "since": since,
        "until": until, "limit": limit,
    }  # fmt: skip
    async with space_scope(connection, space):
        rows = await (await connection.execute(PAGE, parameters)).fetchall()
    return [Entry(**{**row._asdict(), "details": row.details or {}}) for row in rows]


async def verify(connection: AsyncConnection[Row], space: UUID) -> Intact | Broken:
    """Recompute the whole chain of `space`; one statement, so what is appended meanwhile does not disturb."""
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await connection.execute("SELECT set_config('app.space', %s, true)", (str(space),))
        broken = await (await connection.execute(FIRST_BROKEN, (space,))).fetchone()
        last = await (await connection.execute(LAST, (space,))).fetchone()
        end = await (await connection.execute(END)).fetchone()
    if broken is not None and broken[0] is not None:
        return Broken(broken[0])
    rows = last.n if last else 0
    if (rows, bytes(last.hash) if last else None) != (end.n if end else 0, bytes(end.hash) if end else None):
        return Broken(rows + 1)
    return Intact(rows)
