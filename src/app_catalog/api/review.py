"""The review of an application as its vendor may follow it: steps, questions to answer, the agreement on offer."""

from datetime import date
from typing import Final
from uuid import UUID

from pydantic import Field

from app_catalog.api.applications import State
from app_catalog.api.model import BothLanguages, Instant, Model, texts
from app_catalog.api.operation import Call
from app_catalog.api.own import own_application, own_question
from app_catalog.errors import Unknown
from app_catalog.review.agreement import Agreement, newest_agreement
from app_catalog.review.questions import answer_question, questions_of
from app_catalog.review.vendor_pages import STEPS
from app_catalog.wiring import Row

PAGE: Final = "/catalogue/vendor/applications/{id}/review"


class ReviewStep(Model):
    at: Instant
    step: str
    reason: str | None


class Question(Model):
    id: UUID
    text: str
    asked_at: Instant
    answer: str | None
    answered_at: Instant | None


class AgreementShown(Model):
    id: UUID
    starts_on: date
    ends_on: date
    text_version: str
    text: BothLanguages
    offered_at: Instant
    accepted_at: Instant | None
    accepted_by: str | None
    page: str = Field(description="Where an owner accepts it: a person's act.")


class Review(Model):
    state: State
    steps: tuple[ReviewStep, ...]
    questions: tuple[Question, ...]
    agreement: AgreementShown | None


class NewAnswer(Model):
    answer: str


async def review(call: Call) -> Review:
    """What a vendor may know of it: not who evaluates what, and no name of a reviewer."""
    application = await own_application(call)
    if application.submitted_at is None:
        raise Unknown("Nothing was submitted yet.")
    steps = await (await call.connection.execute(STEPS, (application.id,))).fetchall()
    agreement = await newest_agreement(call.connection, application.id)
    return Review(
        state=application.state,
        steps=tuple(ReviewStep(at=row.at, step=row.step, reason=row.reason) for row in steps),
        questions=tuple(shown_question(row) for row in await questions_of(call.connection, application.id)),
        agreement=shown_agreement(call, agreement) if agreement else None,
    )


async def answer(call: Call) -> Review:
    body: NewAnswer = call.body
    await answer_question(call.connection, await own_question(call), body.answer, **call.doing)
    return await review(call)


def shown_question(row: Row) -> Question:
    return Question(
        id=row.id, text=row.text, asked_at=row.asked_at, answer=row.answer, answered_at=row.answered_at
    )  # fmt: skip


def shown_agreement(call: Call, agreement: Agreement) -> AgreementShown:
    return AgreementShown(
        id=agreement.id,
        starts_on=agreement.starts_on,
        ends_on=agreement.ends_on,
        text_version=agreement.text_version,
        text=texts(agreement.text),
        offered_at=agreement.offered_at,
        accepted_at=agreement.accepted_at,
        accepted_by=agreement.accepted_by_name,
        page=call.wiring.issuer + PAGE.format(id=agreement.application_id),
    )
