"""Is an application complete? Then it is evaluated; otherwise it goes back to its vendor with what is missing."""

from datetime import datetime
from uuid import UUID

from app_catalog.applications.submission import Step
from app_catalog.events import EventName
from app_catalog.review.dossier import SUBMITTED, checked_text, opened, written_down
from app_catalog.review.letters import RETURNED, tell
from app_catalog.wiring import Connection, Journal, Mail, Person

ADMIT = "UPDATE catalogue.application SET state = 'admissible' WHERE id = %s"
RETURN = """UPDATE catalogue.application SET state = 'returned', decided_by = %s, decided_at = %s, reason = %s
  WHERE id = %s"""


async def admit_application(
    connection: Connection, application_id: UUID, *, person: Person, journal: Journal, now: datetime
) -> None:
    """Find the application complete. Raises Unknown, NotAllowed or WrongState."""
    async with connection.transaction():
        dossier = await opened(connection, application_id, person, state=SUBMITTED)
        await connection.execute(ADMIT, (dossier.id,))
        await written_down(
            connection, dossier, Step.ADMITTED, EventName.APPLICATION_ADMITTED, person=person, journal=journal, now=now
        )


async def return_application(
    connection: Connection,
    application_id: UUID,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    reason: str,
    mail: Mail | None = None,
) -> None:
    """Give the application back with the reasons; the vendor submits a new version of it. Raises as
    `admit_application`, and Unacceptable without reasons."""
    reason = checked_text("/reason", reason)
    async with connection.transaction():
        dossier = await opened(connection, application_id, person, state=SUBMITTED)
        await connection.execute(RETURN, (person.id, now, reason, dossier.id))
        await written_down(
            connection, dossier, Step.RETURNED, EventName.APPLICATION_RETURNED, person=person, journal=journal,
            now=now, reason=reason,
        )  # fmt: skip
        await tell(connection, mail, dossier, RETURNED, text=reason)
