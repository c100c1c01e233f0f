"""A vendor's view of the review of its application: questions to answer, the agreement to accept, what happened."""

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.applications.labels import STATES
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.review.agreement import accept_agreement, newest_agreement
from app_catalog.review.dossier import dossier_of
from app_catalog.review.questions import answer_question, questions_of
from app_catalog.vendors.role import WRITERS, Role, require
from app_catalog.wiring import Wiring

STEPS = """SELECT step, reason, at AT TIME ZONE 'UTC' AS at FROM catalogue.app_step
  WHERE application_id = %s AND step IN ('submitted', 'found complete', 'given back as not complete', 'question asked',
    'question answered', 'agreement offered', 'agreement accepted', 'agreement extended', 'approved', 'refused')
  ORDER BY id"""


async def review(wiring: Wiring, request: Request) -> Response:
    """What a vendor may know of it: not who evaluates what, and no name of a reviewer."""
    person = await signed_in(wiring, request, "vendor")
    application_id = id_in_path(request, "application_id")
    async with wiring.pool.connection() as connection:
        dossier = await dossier_of(connection, application_id)
        role = await require(connection, dossier.vendor_id, person)
        context = {
            "case": dossier,
            "states": STATES,
            "writes": role in WRITERS and dossier.is_undecided,
            "owns": role is Role.OWNER and dossier.is_undecided,
            "questions": await questions_of(connection, application_id),
            "agreement": await newest_agreement(connection, application_id),
            "steps": await (await connection.execute(STEPS, (application_id,))).fetchall(),
            "csrf_token": person.csrf_token,
        }
    return wiring.render(request, "app_catalog/vendor_review.html", context)


async def answer(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    async with wiring.pool.connection() as connection:
        await answer_question(
            connection, id_in_path(request, "question_id"), fields.text("answer"), person=person,
            journal=wiring.journal, now=wiring.clock(),
        )  # fmt: skip
    return _back(request)


async def accept(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    await posted(request, person)
    async with wiring.pool.connection() as connection:
        await accept_agreement(
            connection, id_in_path(request, "agreement_id"), person=person, journal=wiring.journal, now=wiring.clock()
        )
    return _back(request)


def _back(request: Request) -> Response:
    return see_other(f"/catalogue/vendor/applications/{id_in_path(request, 'application_id')}/review")
