"""An application's way from submission to decision, as its vendor and two reviewers would walk it."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from app_catalog import App, DataPlane, Journal, Person, Status, approve_application, refuse_application
from app_catalog.review.admissibility import admit_application
from app_catalog.review.agreement import USUAL, accept_agreement, offer_agreement
from app_catalog.review.evaluation import (
    Evaluation,
    Recommendation,
    Remark,
    Verdict,
    criteria_of,
    purposes_of,
    save_evaluation,
)
from app_catalog.review.interests import declare_interest
from app_catalog.review.opinion import write_opinion
from app_catalog.wiring import Connection

AGREED = Remark(Verdict.AGREE)


async def conclude(
    connection: Connection,
    application_id: UUID,
    *,
    owner: Person,
    reviewers: Sequence[Person],
    journal: Journal,
    data_plane: DataPlane,
    now: datetime,
    status: Status = Status.ONLINE,
    reason: str | None = None,
    ends_on: date | None = None,
) -> App:
    """The agreement, accepted by `owner`, who is one of its vendor's, and the decision of an application that was
    evaluated and has shown that it is interoperable; returns the app.

    The first of two `reviewers` wrote the opinion, the second decides.
    """
    first, second = reviewers
    async with connection.transaction():
        agreement = await offer_agreement(
            connection,
            application_id,
            starts_on=now.date(),
            ends_on=ends_on or now.date() + USUAL,
            person=first,
            journal=journal,
            data_plane=data_plane,
            now=now,
        )
        await accept_agreement(connection, agreement, person=owner, journal=journal, now=now)
        return await approve_application(
            connection, application_id, person=second, journal=journal, now=now, status=status, reason=reason
        )


async def refuse(
    connection: Connection,
    application_id: UUID,
    *,
    reviewers: Sequence[Person],
    journal: Journal,
    now: datetime,
    reason: str,
) -> None:
    """The whole review of a submitted application, unfavourable."""
    async with connection.transaction():
        await evaluate(
            connection, application_id, Recommendation.UNFAVOURABLE, reviewers=reviewers, journal=journal, now=now
        )
        await refuse_application(
            connection, application_id, person=reviewers[1], journal=journal, now=now, reason=reason
        )


async def evaluate(
    connection: Connection,
    application_id: UUID,
    verdict: Recommendation,
    *,
    reviewers: Sequence[Person],
    journal: Journal,
    now: datetime,
) -> None:
    """Admissibility, interests, an evaluation of each reviewer, and the opinion of the first."""
    for reviewer in reviewers:
        await declare_interest(
            connection, application_id, has_interest=False, person=reviewer, journal=journal, now=now
        )
    await admit_application(connection, application_id, person=reviewers[0], journal=journal, now=now)
    evaluation = Evaluation(
        {row.code: AGREED for row in await criteria_of(connection, application_id)},
        {row.key: AGREED for row in await purposes_of(connection, application_id)},
        verdict,
        "Read in full, with its documents.",
    )
    for reviewer in reviewers:
        await save_evaluation(
            connection, application_id, evaluation, person=reviewer, journal=journal, now=now, hand_in=True
        )
    await write_opinion(
        connection, application_id, verdict, "The evaluations agree.", person=reviewers[0], journal=journal, now=now
    )
