"""What reviewers read by a program: the queue, and dossiers under the same rules as on the pages.

Nothing here changes anything: declarations, evaluations, opinions and decisions are acts of people.
"""

from collections.abc import Mapping
from typing import Any, Final, cast
from uuid import UUID

from pydantic import Field
from starlette.responses import Response

from app_catalog.api.applications import State
from app_catalog.api.described import Described, Difference, described, shown_change
from app_catalog.api.files import handed_out_of
from app_catalog.api.model import Instant, Model, Page, Paging
from app_catalog.api.operation import Call
from app_catalog.api.review import AgreementShown, Question, shown_agreement, shown_question
from app_catalog.api.scenarios import Interoperability, shown_report
from app_catalog.applications.dossier import Dossier as Description
from app_catalog.applications.dossier import dossier as described_dossier
from app_catalog.errors import NotAllowed, Unknown
from app_catalog.review.agreement import newest_agreement
from app_catalog.review.dossier import Dossier, bar_to, bar_to_reading, dossier_of
from app_catalog.review.evaluation import Remark, Written, evaluations_of, handed_in, readable
from app_catalog.review.opinion import opinion_of
from app_catalog.review.pages import WAITING
from app_catalog.review.questions import questions_of
from app_catalog.review.requirements import TO_APPROVE, Case, missing
from app_catalog.wiring import Row

PAGE: Final = "/catalogue/review/applications/{id}"


class Waiting(Model):
    id: UUID
    name: str
    vendor: str
    version: int
    state: State
    submitted_at: Instant
    evaluations: int = Field(description="Handed in so far.")
    quorum: int
    interests_declared: bool = Field(description="By the key's maker; before, the dossier is closed.")
    page: str


class RemarkShown(Model):
    verdict: str
    comment: str


class EvaluationShown(Model):
    reviewer: str
    recommendation: str | None
    comment: str
    criteria: dict[str, RemarkShown]
    purposes: dict[str, RemarkShown]
    handed_in_at: Instant | None


class OpinionShown(Model):
    verdict: str
    text: str
    written_by: str
    written_at: Instant


class DossierShown(Described):
    id: UUID
    app_id: UUID
    vendor: str
    version: int
    state: State
    submitted_at: Instant
    changes: tuple[Difference, ...] = Field(description="Beside the version in force before.")
    unchanged_purposes: tuple[str, ...]
    interoperability: Interoperability
    questions: tuple[Question, ...]
    handed_in: tuple[str, ...] = Field(description="Reviewers whose evaluation is handed in.")
    evaluations: tuple[EvaluationShown, ...] = Field(description="Once one's own is handed in, or all is decided.")
    opinion: OpinionShown | None
    agreement: AgreementShown | None
    missing: tuple[str, ...] = Field(description="What an approval by the key's maker still lacks.")


async def queue(call: Call) -> Page[Waiting]:
    """What waits for a decision, the oldest first."""
    paging: Paging = call.query
    rows = await (await call.connection.execute(WAITING, {"person": call.program.id})).fetchall()
    shown = rows[paging.offset : paging.offset + paging.limit]
    return call.page(tuple(_waiting(call, row) for row in shown), len(rows))


async def dossier(call: Call) -> DossierShown:
    """Open to who has declared no interest, as on the page."""
    case, bar = await _open(call)
    found = await described_dossier(call.connection, case.id)
    if found is None:
        raise Unknown
    written = await evaluations_of(call.connection, case.id)
    opinion = await opinion_of(call.connection, case.id)
    agreement = await newest_agreement(call.connection, case.id)
    at_hand = Case(call.connection, case, call.program, call.wiring.clock(), call.wiring.review_quorum)
    return DossierShown(
        id=case.id,
        app_id=case.app_id,
        vendor=case.vendor_name,
        version=case.version,
        state=cast("State", found.state),
        submitted_at=case.submitted_at,
        changes=tuple(shown_change(one) for one in found.changes),
        unchanged_purposes=tuple(sorted(found.unchanged)),
        interoperability=await shown_report(call, case.id),
        questions=tuple(shown_question(row) for row in await questions_of(call.connection, case.id)),
        handed_in=tuple(each.reviewer_name for each in handed_in(written)),
        evaluations=tuple(_evaluation(each) for each in readable(written, call.program, case, bar=bar)),
        opinion=OpinionShown(
            verdict=opinion.verdict.value, text=opinion.text, written_by=opinion.written_by_name,
            written_at=opinion.written_at,
        ) if opinion else None,
        agreement=shown_agreement(call, agreement) if agreement else None,
        missing=tuple(await missing(at_hand, TO_APPROVE)) if case.is_undecided else (),
        **_described(found),
    )  # fmt: skip


async def document(call: Call) -> Response:
    case, _ = await _open(call)
    return await handed_out_of(call, case.id)


async def _open(call: Call) -> tuple[Dossier, str | None]:
    """The dossier in the path, and why its reader takes no part in the review. Raises NotAllowed where it is closed."""
    case = await dossier_of(call.connection, call.id("application_id"))
    if unread := await bar_to_reading(call.connection, case, call.program):
        raise NotAllowed(unread)
    return case, await bar_to(call.connection, case, call.program)


def _described(found: Description) -> dict[str, Any]:
    return described(
        found.application, found.answers, found.documents,
        criteria_version=found.criteria.version if found.criteria else None, has_logo=found.logo is not None,
    )  # fmt: skip


def _waiting(call: Call, row: Row) -> Waiting:
    return Waiting(
        id=row.id, name=row.name, vendor=row.vendor_name, version=row.version, state=row.state,
        submitted_at=row.submitted_at, evaluations=row.evaluations, quorum=call.wiring.review_quorum,
        interests_declared=row.declared, page=call.wiring.issuer + PAGE.format(id=row.id),
    )  # fmt: skip


def _evaluation(written: Written) -> EvaluationShown:
    given = written.evaluation
    return EvaluationShown(
        reviewer=written.reviewer_name,
        recommendation=given.recommendation.value if given.recommendation else None,
        comment=given.comment,
        criteria=_remarks(given.criteria),
        purposes=_remarks(given.purposes),
        handed_in_at=written.handed_in_at,
    )


def _remarks(given: Mapping[str, Remark]) -> dict[str, RemarkShown]:
    return {key: RemarkShown(verdict=one.verdict.value, comment=one.comment) for key, one in given.items()}
