"""What happened to an app's status, as far as it concerns patients: since when it is what it is, and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app_catalog.catalogue.causes import Cause
from app_catalog.catalogue.status import Status
from app_catalog.wiring import Connection, Row

MOVES: Final = """SELECT to_status, cause, at FROM catalogue.app_step
  WHERE app_id = %s AND to_status <> 'CANDIDATE' AND from_status IS DISTINCT FROM to_status
  ORDER BY id DESC LIMIT 20"""


@dataclass(frozen=True)
class Moment:
    """The app came to `status`. cause: what patients are told about it, None for nothing."""

    status: Status
    cause: Cause | None
    at: datetime


async def history_of(connection: Connection, app_id: UUID) -> list[Moment]:
    """The latest twenty changes of an app's status since it was approved, newest first."""
    rows = await (await connection.execute(MOVES, (app_id,))).fetchall()
    return [_moment(row) for row in rows]


def _moment(row: Row) -> Moment:
    return Moment(Status(row.to_status), Cause(row.cause) if row.cause else None, row.at)
