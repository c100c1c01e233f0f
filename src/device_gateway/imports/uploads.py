"""Files that patients upload: kept until a worker has looked at them, imported when their patient says so.

What is done to a file is decided here and done by `imports.worker`, which may put readings; the role that serves pages
may not.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.errors import GatewayError, NotFound
from device_gateway.imports.progress import LONGEST_FILE_NAME, text_column
from device_gateway.imports.report import Report, report_from_json
from device_gateway.journal import Actor

MOST_WAITING: Final = 3  # uploads of a space that are not imported yet: they take room
LISTED: Final = 20
REJECTED_SHOWN: Final = 50

NEW: Final = """INSERT INTO gateway.file_import
  (space_id, actor_kind, actor_id, actor_name, file_name, format, zone, state)
  VALUES (%s, %s, %s, %s, %s, %s, %s, 'checking') RETURNING id"""
WAITING: Final = """SELECT count(*) AS n FROM gateway.file_import i WHERE i.state <> 'done'
  AND EXISTS (SELECT FROM gateway.file_import_piece p WHERE p.import_id = i.id)"""
PIECE: Final = "INSERT INTO gateway.file_import_piece (import_id, space_id, n, content) VALUES (%s, %s, %s, %s)"
LOOK: Final = "SELECT * FROM gateway.file_import WHERE id = %s"
LIST: Final = "SELECT * FROM gateway.file_import ORDER BY created_at DESC LIMIT %s"
CONFIRM: Final = """UPDATE gateway.file_import SET state = 'importing', changed_at = now()
  WHERE id = %s AND state = 'checked'"""
DISCARD: Final = "DELETE FROM gateway.file_import WHERE id = %s AND state IN ('checking', 'checked', 'refused')"
REJECTED: Final = """SELECT n, pointer, reason, record FROM gateway.file_import_rejected
  WHERE import_id = %s AND n > %s ORDER BY n LIMIT %s"""


class TooManyUploads(GatewayError):
    """Other files of yours wait to be imported: import or discard them first."""

    http_status = 429


@dataclass(frozen=True)
class Upload:
    """A file on its way in, or one that has arrived. The fields are those of the table `file_import`."""

    id: UUID
    file_name: str
    format: str | None
    state: str
    records: int | None
    position: int
    preview: Report | None
    report: Report | None
    problem: str | None
    problem_detail: str | None
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class RejectedRecord:
    """`text`: as it stood in the file, at line or place `number`."""

    number: int
    pointer: str
    reason: str
    text: str


async def keep(
    connection: AsyncConnection[Row],
    space: UUID,
    actor: Actor,
    file_name: str,
    pieces: AsyncIterator[bytes],
    *,
    format_key: str | None = None,
    zone: str | None = None,
) -> UUID:
    """Keep a file, for a worker to look at. Raises TooManyUploads."""
    async with space_scope(connection, space):
        [row] = await (await connection.execute(WAITING)).fetchall()
        if row.n >= MOST_WAITING:
            raise TooManyUploads
        name = text_column(file_name)[-LONGEST_FILE_NAME:]
        values = (space, actor.kind, actor.id, actor.name, name, format_key, zone)
        [row] = await (await connection.execute(NEW, values)).fetchall()
        number = 0
        async for piece in pieces:
            await connection.execute(PIECE, (row.id, space, number, piece))
            number += 1
        if number == 0:
            await connection.execute(PIECE, (row.id, space, 0, b""))
    return UUID(str(row.id))


async def look(connection: AsyncConnection[Row], space: UUID, upload: UUID) -> Upload:
    """Raises NotFound."""
    async with space_scope(connection, space):
        row = await (await connection.execute(LOOK, (upload,))).fetchone()
    if row is None:
        raise NotFound
    return _upload(row)


async def listed(connection: AsyncConnection[Row], space: UUID) -> list[Upload]:
    """The latest ones, newest first."""
    async with space_scope(connection, space):
        return [_upload(row) for row in await (await connection.execute(LIST, (LISTED,))).fetchall()]


async def confirm(connection: AsyncConnection[Row], space: UUID, upload: UUID) -> None:
    """Have it imported. Said twice, or of a file that is not `checked`, it changes nothing."""
    async with space_scope(connection, space):
        await connection.execute(CONFIRM, (upload,))


async def discard(connection: AsyncConnection[Row], space: UUID, upload: UUID) -> None:
    """Forget a file that is not being imported, with all that was uploaded."""
    async with space_scope(connection, space):
        await connection.execute(DISCARD, (upload,))


async def rejected(
    connection: AsyncConnection[Row], space: UUID, upload: UUID, after: int = -1, limit: int = REJECTED_SHOWN
) -> Sequence[RejectedRecord]:
    """Records that could not be taken in, in the order of the file, after number `after`."""
    async with space_scope(connection, space):
        rows = await (await connection.execute(REJECTED, (upload, after, limit))).fetchall()
    return [RejectedRecord(row.n, row.pointer, row.reason, row.record) for row in rows]


def _upload(row: Row) -> Upload:
    return Upload(
        row.id, row.file_name, row.format, row.state, row.records, row.position, _report(row.preview),
        _report(row.report), row.problem, row.problem_detail, row.created_at, row.changed_at,
    )  # fmt: skip


def _report(value: Mapping[str, Any] | None) -> Report | None:  # Any: JSON
    return report_from_json(value) if value is not None else None
