"""One reviewer's evaluation: criterion by criterion, purpose by purpose, and on the whole.

A draft is its reviewer's alone. Nobody reads the others' evaluations before handing in their own.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from app_catalog.applications.submission import Step
from app_catalog.errors import Fault, Unacceptable, WrongState
from app_catalog.events import EventName
from app_catalog.review.dossier import MAX_TEXT, Dossier, opened, written_down
from app_catalog.wiring import Connection, Journal, Person, Row
from app_catalog.words import marked

SAVE = """INSERT INTO catalogue.evaluation (id, application_id, reviewer, reviewer_name, criteria, purposes,
    recommendation, comment, saved_at, handed_in_at)
  VALUES (%(id)s, %(application)s, %(reviewer)s, %(name)s, %(criteria)s, %(purposes)s, %(recommendation)s, %(comment)s,
    %(now)s, %(handed_in)s)
  ON CONFLICT (application_id, reviewer) DO UPDATE SET criteria = excluded.criteria, purposes = excluded.purposes,
    recommendation = excluded.recommendation, comment = excluded.comment, saved_at = excluded.saved_at,
    handed_in_at = excluded.handed_in_at
  WHERE evaluation.handed_in_at IS NULL"""
EVALUATIONS = """SELECT reviewer, reviewer_name, criteria, purposes, recommendation, comment,
    saved_at AT TIME ZONE 'UTC' AS saved_at, handed_in_at AT TIME ZONE 'UTC' AS handed_in_at
  FROM catalogue.evaluation e WHERE application_id = %s AND NOT EXISTS (
    SELECT FROM catalogue.interest i
    WHERE i.application_id = e.application_id AND i.reviewer = e.reviewer AND i.has_interest)
  ORDER BY handed_in_at, saved_at"""
CRITERIA = """SELECT n.code FROM catalogue.answer n
  JOIN catalogue.criterion c ON c.set_version = n.set_version AND c.code = n.code
  WHERE n.application_id = %s ORDER BY c.position"""
PURPOSES = """SELECT key, name_fr, name_en, retention_days, read_scope, write_scope
  FROM catalogue.purpose WHERE application_id = %s ORDER BY position"""
MAX_REMARK = 1000  # characters


class Verdict(StrEnum):
    """On what the vendor says of a criterion, or on its need of the data of a purpose."""

    AGREE = "agree"
    DISAGREE = "disagree"
    QUESTION = "question"

    @property
    def label(self) -> str:
        return {"agree": marked("agree"), "disagree": marked("disagree"), "question": marked("a question")}[self]


class Recommendation(StrEnum):
    """Of a reviewer, and of an opinion. From the best to the worst."""

    FAVOURABLE = "favourable"
    RESERVATIONS = "reservations"
    UNFAVOURABLE = "unfavourable"

    @property
    def label(self) -> str:
        return RECOMMENDATIONS[self]


RECOMMENDATIONS = {
    Recommendation.FAVOURABLE: marked("favourable"),
    Recommendation.RESERVATIONS: marked("favourable with reservations"),
    Recommendation.UNFAVOURABLE: marked("unfavourable"),
}


@dataclass(frozen=True)
class Remark:
    verdict: Verdict
    comment: str = ""


@dataclass(frozen=True)
class Evaluation:
    """criteria and purposes by their codes and keys; what is missing there has not been looked at yet."""

    criteria: Mapping[str, Remark] = field(default_factory=dict)
    purposes: Mapping[str, Remark] = field(default_factory=dict)
    recommendation: Recommendation | None = None
    comment: str = ""


@dataclass(frozen=True)
class Written:
    """An evaluation as it is kept. Times are in UTC, without a zone; `handed_in_at` is None for a draft."""

    reviewer: UUID
    reviewer_name: str
    evaluation: Evaluation
    saved_at: datetime
    handed_in_at: datetime | None


async def save_evaluation(
    connection: Connection,
    application_id: UUID,
    evaluation: Evaluation,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    hand_in: bool = False,
) -> None:
    """Keep a draft, or with `hand_in` the evaluation for good.

    Raises Unknown, NotAllowed, WrongState when it was handed in before, or Unacceptable with all that is missing.
    """
    async with connection.transaction():
        dossier = await opened(connection, application_id, person)
        criteria = [row.code for row in await criteria_of(connection, dossier.id)]
        purposes = [row.key for row in await purposes_of(connection, dossier.id)]
        evaluation = _within(evaluation, criteria, purposes)
        if faults := list(_too_long(evaluation)) or (list(_missing(evaluation, criteria, purposes)) if hand_in else []):
            raise Unacceptable(*faults)
        values = {
            "id": uuid4(), "application": dossier.id, "reviewer": person.id, "name": person.display_name,
            "criteria": _as_json(evaluation.criteria), "purposes": _as_json(evaluation.purposes),
            "recommendation": evaluation.recommendation, "comment": evaluation.comment, "now": now,
            "handed_in": now if hand_in else None,
        }  # fmt: skip
        if (await connection.execute(SAVE, values)).rowcount != 1:
            raise WrongState("You have handed in your evaluation: it does not change any more.")
        if hand_in:
            await written_down(
                connection, dossier, Step.EVALUATED, EventName.EVALUATION_HANDED_IN, person=person, journal=journal,
                now=now,
            )  # fmt: skip


async def evaluations_of(connection: Connection, application_id: UUID) -> list[Written]:
    """All of them, drafts too, but those of reviewers who have declared an interest since. Not for showing as it is:
    see `readable`."""
    rows = await (await connection.execute(EVALUATIONS, (application_id,))).fetchall()
    return [
        Written(
            row.reviewer,
            row.reviewer_name,
            Evaluation(
                _remarks(row.criteria),
                _remarks(row.purposes),
                Recommendation(row.recommendation) if row.recommendation else None,
                row.comment,
            ),
            row.saved_at,
            row.handed_in_at,
        )
        for row in rows
    ]


def own(written: list[Written], person: Person) -> Written | None:
    return next((each for each in written if each.reviewer == person.id), None)


def handed_in(written: list[Written]) -> list[Written]:
    return [each for each in written if each.handed_in_at is not None]


def readable(written: list[Written], person: Person, dossier: Dossier, *, bar: str | None) -> list[Written]:
    """The evaluations that `person` may read: the others' only once one's own is handed in, or all is decided.

    Operators, who evaluate nothing, read what was handed in; who is barred from the review reads nothing of it.
    """
    mine = own(written, person)
    done = mine is not None and mine.handed_in_at is not None
    if done or not dossier.is_undecided or person.kind == "operator":
        return handed_in(written) if bar is None or person.kind == "operator" or not dossier.is_undecided else []
    return []


async def criteria_of(connection: Connection, application_id: UUID) -> list[Row]:
    """The codes of the criteria that the application answers."""
    return await (await connection.execute(CRITERIA, (application_id,))).fetchall()


async def purposes_of(connection: Connection, application_id: UUID) -> list[Row]:
    return await (await connection.execute(PURPOSES, (application_id,))).fetchall()


def _within(evaluation: Evaluation, criteria: list[str], purposes: list[str]) -> Evaluation:
    """Without remarks on what the application does not have."""
    return Evaluation(
        {code: evaluation.criteria[code] for code in criteria if code in evaluation.criteria},
        {key: evaluation.purposes[key] for key in purposes if key in evaluation.purposes},
        evaluation.recommendation,
        evaluation.comment.strip(),
    )


def _too_long(evaluation: Evaluation) -> Iterator[Fault]:
    for part, remarks in (("criteria", evaluation.criteria), ("purposes", evaluation.purposes)):
        for key, remark in remarks.items():
            if len(remark.comment) > MAX_REMARK:
                yield Fault(f"/{part}/{key}", "This is too long, or has characters that cannot be shown.")
    if len(evaluation.comment) > MAX_TEXT:
        yield Fault("/comment", "This is too long, or has characters that cannot be shown.")


def _missing(evaluation: Evaluation, criteria: list[str], purposes: list[str]) -> Iterator[Fault]:
    for code in criteria:
        if code not in evaluation.criteria:
            yield Fault(f"/criteria/{code}", "Say whether you agree.")
    for key in purposes:
        if key not in evaluation.purposes:
            yield Fault(f"/purposes/{key}", "Say whether you agree.")
    for part, remarks in (("criteria", evaluation.criteria), ("purposes", evaluation.purposes)):
        for key, remark in remarks.items():
            if remark.verdict is not Verdict.AGREE and not remark.comment.strip():
                yield Fault(f"/{part}/{key}", "Say why you do not agree, or what your question is.")
    if evaluation.recommendation is None:
        yield Fault("/recommendation", "Give your recommendation.")
    if not evaluation.comment:
        yield Fault("/comment", "Give the reasons of your recommendation.")


def _as_json(remarks: Mapping[str, Remark]) -> str:
    return json.dumps({key: asdict(remark) for key, remark in remarks.items()})


def _remarks(kept: Mapping[str, Mapping[str, str]]) -> dict[str, Remark]:
    return {key: Remark(Verdict(each["verdict"]), each["comment"]) for key, each in kept.items()}
