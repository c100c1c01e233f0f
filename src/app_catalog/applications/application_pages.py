"""A vendor's page of one application: what a draft still needs, or what was submitted; submitting and withdrawing."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.applications.difference import Side, difference
from app_catalog.applications.dossier import Dossier, dossier, draft_dossier, former_of, side_of
from app_catalog.applications.draft import draft_as_it_is, draft_of
from app_catalog.applications.labels import STATES
from app_catalog.applications.progress import Progress, progress_of
from app_catalog.applications.published import ECONOMIC_MODELS, LINKS, REGIONS, THEMES
from app_catalog.applications.submission import submit_draft, withdraw
from app_catalog.consents.wording import in_plain_words
from app_catalog.criteria.answers import ANSWERS
from app_catalog.documents.document import KINDS
from app_catalog.errors import Unacceptable, Unknown, WrongState
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.scopes.grammar import parse
from app_catalog.vendors.role import WRITERS, Role, require
from app_catalog.vendors.vendor import vendor_by_id
from app_catalog.wiring import Connection, Language, Person, Wiring

STATE = """SELECT v.state, a.vendor_id FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id
  WHERE v.id = %s"""


async def application(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    application_id = id_in_path(request, "application_id")
    async with wiring.pool.connection() as connection, connection.transaction():
        row = await (await connection.execute(STATE, (application_id,))).fetchone()
        if row is None:
            raise Unknown
        role = await require(connection, row.vendor_id, person)
        if row.state == "draft" and role not in WRITERS:
            return await _read_only_page(wiring, request, connection, application_id)
        if row.state == "draft":
            draft = await draft_of(connection, application_id, person)
            progress = await progress_of(connection, draft, wiring.choices)
            return await _draft_page(wiring, request, connection, person, progress)
        found = await dossier(connection, application_id)
        if found is None:
            raise Unknown
    return _dossier_page(wiring, request, person, role, found)


async def submit(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    await posted(request, person)
    application_id = id_in_path(request, "application_id")
    async with wiring.pool.connection() as connection:
        try:
            await submit_draft(
                connection, application_id, person=person, journal=wiring.journal, now=wiring.clock(),
                choices=wiring.choices,
            )  # fmt: skip
        except Unacceptable:
            async with connection.transaction():
                draft = await draft_of(connection, application_id, person)
                progress = await progress_of(connection, draft, wiring.choices)
                response = await _draft_page(wiring, request, connection, person, progress)
            response.status_code = Unacceptable.http_status
            return response
    return see_other(f"/catalogue/vendor/applications/{application_id}")


async def end(wiring: Wiring, request: Request) -> Response:
    """Withdraw an application that waits, or discard a draft."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    if fields.get("sure") is None:
        raise WrongState("Tick that you are sure.")
    async with wiring.pool.connection() as connection:
        await withdraw(
            connection, id_in_path(request, "application_id"), person=person, journal=wiring.journal, now=wiring.clock()
        )
    return see_other("/catalogue/vendor")


def dossier_context(wiring: Wiring, found: Dossier) -> dict[str, Any]:
    """What the template ``dossier.html`` needs, for whoever shows it."""
    return {
        "dossier": found,
        "purposes": [
            {
                "purpose": purpose,
                "unchanged": purpose.key in found.unchanged,
                "words": {language: _in_words(wiring, purpose.read_scope, purpose.write_scope, language)
                          for language in ("fr", "en")},
            }
            for purpose in found.purposes
        ],
        "link_names": LINKS,
        "economic_models": ECONOMIC_MODELS,
        "region_names": REGIONS,
        "theme_names": THEMES,
        "answer_names": ANSWERS,
        "document_kinds": KINDS,
    }  # fmt: skip


async def _draft_page(
    wiring: Wiring, request: Request, connection: Connection, person: Person, progress: Progress
) -> Response:
    draft = progress.draft
    former = await former_of(connection, draft.app_id, draft.version)
    here = Side(progress.application, progress.answers, progress.documents, draft.logo)
    context: Mapping[str, Any] = {
        "draft": draft,
        "section": "",
        "sections": progress.sections,
        "missing": progress.missing,
        "reachable": (await vendor_by_id(connection, draft.vendor_id)).contact_verified_at is not None,
        "former": former.version if former else None,
        "changes": difference(await side_of(connection, former), here) if former else (),
        "csrf_token": person.csrf_token,
    }
    return wiring.render(request, "app_catalog/draft/summary.html", context)


async def _read_only_page(wiring: Wiring, request: Request, connection: Connection, application_id: UUID) -> Response:
    """A draft for who may read it and not write: as it would be submitted, without a form."""
    draft = await draft_as_it_is(connection, application_id)
    if draft is None:
        raise Unknown
    progress = await progress_of(connection, draft, wiring.choices)
    context = {
        **dossier_context(wiring, await draft_dossier(connection, progress)),
        "state": STATES["draft"],
        "missing": len(progress.missing),
        "may_withdraw": False,
    }
    return wiring.render(request, "app_catalog/submitted.html", context)


def _dossier_page(wiring: Wiring, request: Request, person: Person, role: Role, found: Dossier) -> Response:
    context = {
        **dossier_context(wiring, found),
        "state": STATES.get(found.state, found.state),
        "may_withdraw": role in WRITERS and found.state in {"submitted", "admissible"},
        "csrf_token": person.csrf_token,
    }
    return wiring.render(request, "app_catalog/submitted.html", context)


def _in_words(wiring: Wiring, read_scope: str, write_scope: str, language: Language) -> dict[str, tuple[str, ...]]:
    return {
        "reads": in_plain_words(parse(read_scope), language, wiring.data_plane),
        "writes": in_plain_words(parse(write_scope), language, wiring.data_plane),
    }
