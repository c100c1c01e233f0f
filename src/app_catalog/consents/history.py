"""Every consent that a patient ever gave: what was shown, in which language, when, by whom, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app_catalog.catalogue.apps import Purpose, purpose_from
from app_catalog.consents.pairing import Closing
from app_catalog.space import space
from app_catalog.wiring import Connection, Row

GIVEN: Final = """SELECT c.id, c.pairing_id, r.app_id, c.shown, c.given_by, c.given_at, c.ends_at, c.withdrawn_by,
    c.withdrawn_at, c.closed_as, v.version, to_jsonb(p) AS purpose, a.vendor_id, n.name AS vendor_name, n.oid
  FROM catalogue.consent c
  JOIN catalogue.pairing r ON r.id = c.pairing_id
  JOIN catalogue.purpose p ON p.id = c.purpose_id
  JOIN catalogue.application v ON v.id = p.application_id
  JOIN catalogue.app a ON a.id = r.app_id
  JOIN catalogue.vendor n ON n.id = a.vendor_id
  WHERE c.subject = %(subject)s AND (%(app)s::uuid IS NULL OR r.app_id = %(app)s)
  ORDER BY c.given_at DESC, p.position, c.id"""


@dataclass(frozen=True)
class Vendor:
    """Who makes the app. `oid` is its organisation's own, without ``urn:oid:``; None where it has none."""

    id: UUID
    name: str
    oid: str | None


@dataclass(frozen=True)
class GivenConsent:
    """One version of one consent.

    shown        word for word what the patient read: a `Wording` as JSON
    version      of the app's description that it belongs to
    closed_at    when it ended before its day, by whatever `closed_as` says; None while it is open
    """

    id: UUID
    pairing_id: UUID
    app_id: UUID
    vendor: Vendor
    version: int
    purpose: Purpose
    shown: Mapping[str, Any]
    given_by: UUID
    given_at: datetime
    ends_at: datetime
    closed_by: UUID | None
    closed_at: datetime | None
    closed_as: Closing | None

    def is_open(self, now: datetime) -> bool:
        return self.closed_at is None and self.ends_at > now


async def consents_given(connection: Connection, subject: UUID, app_id: UUID | None = None) -> list[GivenConsent]:
    """Of the space `subject`, newest first; those for one app where `app_id` names it."""
    async with space(connection, subject):
        rows = await (await connection.execute(GIVEN, {"subject": subject, "app": app_id})).fetchall()
    return [_given(row) for row in rows]


def _given(row: Row) -> GivenConsent:
    return GivenConsent(
        id=row.id,
        pairing_id=row.pairing_id,
        app_id=row.app_id,
        vendor=Vendor(row.vendor_id, row.vendor_name, row.oid),
        version=row.version,
        purpose=purpose_from(row.purpose),
        shown=row.shown,
        given_by=row.given_by,
        given_at=row.given_at,
        ends_at=row.ends_at,
        closed_by=row.withdrawn_by,
        closed_at=row.withdrawn_at,
        closed_as=row.closed_as,
    )
