"""What a vendor is told when access ends: a row, written in the transaction that ends it. `delivery` sends it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from app_catalog.wiring import Connection
from app_catalog.words import marked

ADD: Final = """INSERT INTO catalogue.revocation_notice (id, app_id, pairing_id, reason, happened_at, due_at)
  SELECT gen_random_uuid(), id, %(pairing)s, %(reason)s, %(now)s, %(now)s FROM catalogue.app
  WHERE id = %(app)s AND notification_url IS NOT NULL AND notification_gone_at IS NULL"""
LATEST: Final = """SELECT pairing_id, reason, happened_at, due_at, attempts, attempted_at, last_answer, delivered_at,
    given_up_at FROM catalogue.revocation_notice WHERE app_id = %s ORDER BY happened_at DESC, id LIMIT %s"""


class Why(StrEnum):
    """A class of reasons: all that a vendor learns. Vendors read the values: they are only added to."""

    PATIENT = "patient"  # disconnected the app
    ENDED = "ended"  # the day came that the patient had chosen
    REMOVED = "removed"  # the app left the catalogue
    SECURITY = "security"  # a code or token was used twice, or the patient's password changed
    SIGNED_OUT = "signed_out"  # access that lives on a session ended with it

    @property
    def label(self) -> str:
        """For the vendor's page, as an English msgid."""
        return LABELS[self]


LABELS: Final = {
    Why.PATIENT: marked("the patient disconnected the app"),
    Why.ENDED: marked("the patient's consent reached its end"),
    Why.REMOVED: marked("the app left the catalogue"),
    Why.SECURITY: marked("a precaution: the app may ask again"),
    Why.SIGNED_OUT: marked("the patient signed out"),
}


@dataclass(frozen=True)
class Notice:
    """A notice as its vendor may see it. `due_at` is the time of the next attempt, while there is one."""

    pairing_id: UUID
    why: Why
    happened_at: datetime
    due_at: datetime
    attempts: int
    attempted_at: datetime | None
    last_answer: str | None
    delivered_at: datetime | None
    given_up_at: datetime | None


async def note(connection: Connection, app_id: UUID, pairing_id: UUID, why: Why, now: datetime) -> None:
    """Have the vendor told, if it wants to be, that access under `pairing_id` ended."""
    await connection.execute(ADD, {"app": app_id, "pairing": pairing_id, "reason": why.value, "now": now})


async def latest_notices(connection: Connection, app_id: UUID, limit: int) -> list[Notice]:
    rows = await (await connection.execute(LATEST, (app_id, limit))).fetchall()
    return [
        Notice(
            row.pairing_id, Why(row.reason), row.happened_at, row.due_at, row.attempts, row.attempted_at,
            row.last_answer, row.delivered_at, row.given_up_at,
        )
        for row in rows
    ]  # fmt: skip
