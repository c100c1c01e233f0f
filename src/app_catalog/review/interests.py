"""Declarations of interest: each reviewer makes one per application, before anything else. They are kept for good."""

from datetime import datetime
from uuid import UUID

from app_catalog.applications.submission import Step
from app_catalog.errors import NotAllowed, WrongState
from app_catalog.events import EventName
from app_catalog.review.dossier import OF_THE_VENDOR, REVIEWERS, checked_text, dossier_of, written_down
from app_catalog.vendors.vendor import vendors_of
from app_catalog.wiring import Connection, Journal, Person, Row

DECLARE = """INSERT INTO catalogue.interest (application_id, reviewer, reviewer_name, has_interest, statement,
    declared_at)
  VALUES (%s, %s, %s, %s, %s, %s)"""
DECLARED = """SELECT reviewer, reviewer_name, has_interest, statement, declared_at AT TIME ZONE 'UTC' AS declared_at
  FROM catalogue.interest WHERE application_id = %s ORDER BY id"""


async def declare_interest(
    connection: Connection,
    application_id: UUID,
    *,
    has_interest: bool,
    statement: str = "",
    person: Person,
    journal: Journal,
    now: datetime,
) -> None:
    """Write down whether `person` has an interest, and which. One that was declared is never taken back.

    Raises Unknown, NotAllowed, WrongState for an application that was decided, or Unacceptable for an interest that is
    not named.
    """
    if person.kind not in REVIEWERS:
        raise NotAllowed
    statement = checked_text("/statement", statement) if has_interest else ""
    async with connection.transaction():
        dossier = await dossier_of(connection, application_id, lock=True)
        if dossier.vendor_id in await vendors_of(connection, person.id):
            raise NotAllowed(OF_THE_VENDOR)
        if not dossier.is_undecided:
            raise WrongState
        await connection.execute(DECLARE, (dossier.id, person.id, person.display_name, has_interest, statement, now))
        await written_down(
            connection, dossier, Step.DECLARED, EventName.INTEREST_DECLARED, person=person, journal=journal, now=now,
            reason=statement or None, interest=has_interest,
        )  # fmt: skip


async def declarations_of(connection: Connection, application_id: UUID) -> list[Row]:
    """All declarations, in their order, for reviewers and operators to see."""
    return await (await connection.execute(DECLARED, (application_id,))).fetchall()
