"""A reviewer stands for the interoperability of a version that cannot be run in the sandbox, or was run elsewhere."""

from datetime import datetime
from uuid import UUID

from app_catalog.applications.submission import Step
from app_catalog.errors import WrongState
from app_catalog.events import EventName
from app_catalog.review.dossier import checked_text, opened, written_down
from app_catalog.wiring import Connection, Journal, Person

ATTEST = """INSERT INTO catalogue.attestation (application_id, reason, attested_by, attested_by_name, attested_at)
  VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""


async def attest_interoperability(
    connection: Connection, application_id: UUID, reason: str, *, person: Person, journal: Journal, now: datetime
) -> None:
    """Say, with the reason, that interoperability was shown elsewhere. Every page that shows results shows this.

    Raises Unknown, NotAllowed, WrongState or Unacceptable.
    """
    reason = checked_text("/reason", reason)
    async with connection.transaction():
        dossier = await opened(connection, application_id, person)
        values = (dossier.id, reason, person.id, person.display_name, now)
        if (await connection.execute(ATTEST, values)).rowcount != 1:
            raise WrongState("Interoperability was attested.")
        await written_down(
            connection, dossier, Step.ATTESTED, EventName.INTEROPERABILITY_ATTESTED, person=person, journal=journal,
            now=now, reason=reason,
        )  # fmt: skip
