"""What a reviewer does on the page of an application: each form posts here, and leads back to the page."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.status import Status
from app_catalog.errors import BadForm
from app_catalog.form import Fields
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.review.admissibility import admit_application, return_application
from app_catalog.review.agreement import offer_agreement
from app_catalog.review.attestation import attest_interoperability
from app_catalog.review.decision import approve_application, refuse_application
from app_catalog.review.dossier import REVIEWERS, checked_day
from app_catalog.review.evaluation import Recommendation
from app_catalog.review.interests import declare_interest
from app_catalog.review.opinion import write_opinion
from app_catalog.review.questions import ask_vendor
from app_catalog.wiring import Connection, Person, Wiring

HOME = "/catalogue/review"


@dataclass(frozen=True)
class Sent:
    """A form that a reviewer sent about an application."""

    wiring: Wiring
    connection: Connection
    application_id: UUID
    person: Person
    fields: Fields


async def declare(sent: Sent) -> None:
    """``interest``: ``yes``, with a ``statement``, or ``no``."""
    answer = sent.fields.get("interest")
    if answer not in {"yes", "no"}:
        raise BadForm
    await declare_interest(
        sent.connection, sent.application_id, has_interest=answer == "yes", statement=sent.fields.text("statement"),
        person=sent.person, journal=sent.wiring.journal, now=sent.wiring.clock(),
    )  # fmt: skip


async def settle_admissibility(sent: Sent) -> None:
    """``admissible``: ``yes``, or ``no`` with a ``reason``."""
    wiring, now = sent.wiring, sent.wiring.clock()
    match sent.fields.get("admissible"):
        case "yes":
            await admit_application(
                sent.connection, sent.application_id, person=sent.person, journal=wiring.journal, now=now
            )
        case "no":
            await return_application(
                sent.connection, sent.application_id, person=sent.person, journal=wiring.journal, now=now,
                reason=sent.fields.text("reason"), mail=wiring.mail,
            )  # fmt: skip
        case _:
            raise BadForm


async def ask(sent: Sent) -> None:
    await ask_vendor(
        sent.connection, sent.application_id, sent.fields.text("question"), person=sent.person,
        journal=sent.wiring.journal, now=sent.wiring.clock(), mail=sent.wiring.mail,
    )  # fmt: skip


async def give_opinion(sent: Sent) -> None:
    verdict = sent.fields.text("verdict")
    if verdict not in set(Recommendation):
        raise BadForm
    await write_opinion(
        sent.connection, sent.application_id, Recommendation(verdict), sent.fields.text("text"), person=sent.person,
        journal=sent.wiring.journal, now=sent.wiring.clock(), quorum=sent.wiring.review_quorum,
    )  # fmt: skip


async def offer(sent: Sent) -> None:
    await offer_agreement(
        sent.connection, sent.application_id, starts_on=checked_day("/starts_on", sent.fields.text("starts_on")),
        ends_on=checked_day("/ends_on", sent.fields.text("ends_on")), person=sent.person, journal=sent.wiring.journal,
        data_plane=sent.wiring.data_plane, now=sent.wiring.clock(), mail=sent.wiring.mail,
    )  # fmt: skip


async def attest(sent: Sent) -> None:
    await attest_interoperability(
        sent.connection, sent.application_id, sent.fields.text("reason"), person=sent.person,
        journal=sent.wiring.journal, now=sent.wiring.clock(),
    )  # fmt: skip


async def decide(sent: Sent) -> None:
    """``decision``: ``approve`` (online), ``approve-pre-series`` or ``refuse``, the last with a ``reason``."""
    wiring, now, reason = sent.wiring, sent.wiring.clock(), sent.fields.text("reason")
    match sent.fields.get("decision"):
        case "approve" | "approve-pre-series" as decision:
            status = Status.ONLINE if decision == "approve" else Status.PRE_SERIES
            await approve_application(
                sent.connection, sent.application_id, person=sent.person, journal=wiring.journal, now=now,
                status=status, reason=reason or None, quorum=wiring.review_quorum, mail=wiring.mail,
            )  # fmt: skip
        case "refuse":
            await refuse_application(
                sent.connection, sent.application_id, person=sent.person, journal=wiring.journal, now=now,
                reason=reason, quorum=wiring.review_quorum, mail=wiring.mail,
            )  # fmt: skip
        case _:
            raise BadForm


def posting(
    action: Callable[[Sent], Awaitable[None]], *, leads_home: bool = False
) -> Callable[[Wiring, Request], Awaitable[Response]]:
    """`action` as what a form posts to, for reviewers; back to the application, or to the list of them."""

    async def endpoint(wiring: Wiring, request: Request) -> Response:
        person = await signed_in(wiring, request, *REVIEWERS)
        fields = await posted(request, person)
        application_id = id_in_path(request, "application_id")
        async with wiring.pool.connection() as connection:
            await action(Sent(wiring, connection, application_id, person, fields))
        return see_other(HOME if leads_home else f"{HOME}/applications/{application_id}")

    return endpoint
