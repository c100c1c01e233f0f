"""The form on which a reviewer evaluates: saved as often as they like, handed in once."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.consents.wording import language_of
from app_catalog.errors import Fault, NotAllowed, Unacceptable
from app_catalog.form import Fields
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.review.dossier import REVIEWERS, Dossier, bar_to, dossier_of
from app_catalog.review.evaluation import (
    Evaluation,
    Recommendation,
    Remark,
    Verdict,
    evaluations_of,
    own,
    save_evaluation,
)
from app_catalog.review.pages import description
from app_catalog.wiring import Connection, Person, Wiring

MAX_BYTES = 512 * 1024  # of the form: a hundred criteria with a comment of a thousand characters each, as they travel


@dataclass(frozen=True)
class Desk:
    """Who evaluates what."""

    wiring: Wiring
    request: Request
    connection: Connection
    case: Dossier
    person: Person


async def evaluation(wiring: Wiring, request: Request) -> Response:
    """The form, and with POST what it says; ``action`` is ``save`` or ``hand-in``."""
    person = await signed_in(wiring, request, *REVIEWERS)
    application_id = id_in_path(request, "application_id")
    fields = await posted(request, person, MAX_BYTES) if request.method == "POST" else None
    async with wiring.pool.connection() as connection:
        case = await dossier_of(connection, application_id)
        if bar := await bar_to(connection, case, person):
            raise NotAllowed(bar)
        desk = Desk(wiring, request, connection, case, person)
        if fields is None:
            mine = own(await evaluations_of(connection, application_id), person)
            return await _form(desk, mine.evaluation if mine else Evaluation())
        sent = _evaluation(fields)
        try:
            await save_evaluation(
                connection, application_id, sent, person=person, journal=wiring.journal, now=wiring.clock(),
                hand_in=fields.get("action") == "hand-in",
            )  # fmt: skip
        except Unacceptable as unacceptable:
            return await _form(desk, sent, unacceptable.faults)
    return see_other(f"/catalogue/review/applications/{application_id}")


async def _form(desk: Desk, draft: Evaluation, faults: Sequence[Fault] = ()) -> Response:
    wiring, request = desk.wiring, desk.request
    context = {
        "case": desk.case,
        "language": language_of(wiring.language(request)),
        "draft": draft,
        "faults": faults,
        "verdicts": list(Verdict),
        "recommendations": list(Recommendation),
        "csrf_token": desk.person.csrf_token,
        **await description(wiring, desk.connection, desk.case.id),
    }
    response = wiring.render(request, "app_catalog/evaluation.html", context)
    if faults:
        response.status_code = Unacceptable.http_status
    return response


def _evaluation(fields: Fields) -> Evaluation:
    """What the form says. A remark without a verdict is left out; nothing is checked here."""
    recommendation = fields.text("recommendation")
    return Evaluation(
        _remarks(fields, "criterion-"),
        _remarks(fields, "purpose-"),
        Recommendation(recommendation) if recommendation in set(Recommendation) else None,
        fields.text("comment"),
    )


def _remarks(fields: Fields, prefix: str) -> dict[str, Remark]:
    return {
        name.removeprefix(prefix): Remark(Verdict(value), fields.text(f"comment-{name}").strip())
        for name, value in fields.first.items()
        if name.startswith(prefix) and value in set(Verdict)
    }
