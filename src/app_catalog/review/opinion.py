"""The opinion, drawn from the evaluations and written by one of those who evaluated."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from app_catalog.applications.submission import Step
from app_catalog.errors import NotAllowed, WrongState
from app_catalog.events import EventName
from app_catalog.review.dossier import checked_text, opened, written_down
from app_catalog.review.evaluation import Recommendation, evaluations_of, handed_in, own
from app_catalog.review.questions import questions_of
from app_catalog.wiring import Connection, Journal, Person
from app_catalog.words import marked

WRITE = """INSERT INTO catalogue.opinion (id, application_id, verdict, text, evaluations, written_by, written_by_name,
    written_at)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
OPINION = """SELECT verdict, text, evaluations, written_by, written_by_name, written_at AT TIME ZONE 'UTC' AS written_at
  FROM catalogue.opinion o WHERE application_id = %s AND NOT EXISTS (
    SELECT FROM catalogue.interest i
    WHERE i.application_id = o.application_id AND i.reviewer = o.written_by AND i.has_interest)
  ORDER BY o.written_at DESC, id LIMIT 1"""

QUORUM = 2  # evaluations that an opinion needs, unless the installation asks for more
NO_QUORUM = marked("Not enough reviewers have handed in their evaluation.")
UNANSWERED = marked("The vendor has not answered all questions.")


@dataclass(frozen=True)
class Opinion:
    """`evaluations` is how many it was drawn from; `written_at` is in UTC, without a zone."""

    verdict: Recommendation
    text: str
    evaluations: int
    written_by: UUID
    written_by_name: str
    written_at: datetime


async def write_opinion(
    connection: Connection,
    application_id: UUID,
    verdict: Recommendation,
    text: str,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    quorum: int = QUORUM,
) -> None:
    """Write the opinion. It is no better than the best evaluation, and waits for answers unless it is unfavourable.

    Raises Unknown, NotAllowed for who has not evaluated, WrongState without quorum or a second time, or Unacceptable.
    """
    text = checked_text("/text", text)
    async with connection.transaction():
        dossier = await opened(connection, application_id, person)
        written = await evaluations_of(connection, dossier.id)
        done, mine = handed_in(written), own(written, person)
        if mine is None or mine.handed_in_at is None:
            raise NotAllowed("Who writes the opinion has handed in an evaluation.")
        if len(done) < quorum:
            raise WrongState(NO_QUORUM)
        order = list(Recommendation)
        best = min(order.index(each.evaluation.recommendation) for each in done if each.evaluation.recommendation)
        if order.index(verdict) < best:
            raise WrongState("No evaluation is as favourable as this opinion.")
        if verdict is not Recommendation.UNFAVOURABLE and any(
            question.answered_at is None for question in await questions_of(connection, dossier.id)
        ):
            raise WrongState(UNANSWERED)
        if await opinion_of(connection, dossier.id) is not None:
            raise WrongState("There is an opinion already.")
        values = (uuid4(), dossier.id, verdict.value, text, len(done), person.id, person.display_name, now)
        await connection.execute(WRITE, values)
        await written_down(
            connection, dossier, Step.OPINION, EventName.OPINION_WRITTEN, person=person, journal=journal, now=now,
            reason=text, verdict=verdict.value, evaluations=len(done),
        )  # fmt: skip


async def opinion_of(connection: Connection, application_id: UUID) -> Opinion | None:
    """The opinion that counts; that of somebody who declared an interest afterwards does not."""
    row = await (await connection.execute(OPINION, (application_id,))).fetchone()
    if row is None:
        return None
    return Opinion(
        Recommendation(row.verdict), row.text, row.evaluations, row.written_by, row.written_by_name, row.written_at
    )
