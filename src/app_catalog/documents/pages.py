"""Adding documents and a logo to a draft, and handing them out: to whom they concern, to keep, never to run."""

from urllib.parse import quote
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from app_catalog.applications.draft import draft_of, set_logo
from app_catalog.applications.labels import LABELS
from app_catalog.applications.progress import progress_of
from app_catalog.documents import logo
from app_catalog.documents.content import Content, keep_content, read_content
from app_catalog.documents.document import (
    KINDS,
    MAX_BYTES,
    Document,
    add_document,
    document_by_id,
    remove_document,
)
from app_catalog.documents.upload import uploaded
from app_catalog.errors import Fault, NotAllowed, Unacceptable, Unknown
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.review.dossier import bar_to_reading, dossier_of
from app_catalog.vendors.role import role_of
from app_catalog.wiring import Connection, Person, Row, Wiring

READERS = frozenset({"reviewer"})  # besides the members of the vendor
SEALED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}

OWNER = """SELECT a.vendor_id, v.state, v.logo FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id
  WHERE v.id = %s"""


async def documents(wiring: Wiring, request: Request) -> Response:
    """The list, with forms to add a document or a logo; a POST adds a document."""
    person = await signed_in(wiring, request, "vendor")
    if request.method == "GET":
        return await _page(wiring, request, person)
    application_id = id_in_path(request, "application_id")
    try:
        fields, upload = await uploaded(request, person, MAX_BYTES)
        if upload is None:
            raise Unacceptable(Fault("/file", "Choose a file first."))  # noqa: TRY301  shown as every other fault
        async with wiring.pool.connection() as connection, connection.transaction():
            draft = await draft_of(connection, application_id, person)
            await add_document(connection, draft.id, fields.text("kind"), upload, person=person, now=wiring.clock())
    except Unacceptable as unacceptable:
        return await _page(wiring, request, person, unacceptable.faults)
    return _back(application_id)


async def removed(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    await posted(request, person)
    async with wiring.pool.connection() as connection, connection.transaction():
        draft = await draft_of(connection, id_in_path(request, "application_id"), person)
        await remove_document(connection, draft.id, id_in_path(request, "document_id"))
    return _back(draft.id)


async def new_logo(wiring: Wiring, request: Request) -> Response:
    """A POST with a picture sets the logo, one without takes it away."""
    person = await signed_in(wiring, request, "vendor")
    application_id = id_in_path(request, "application_id")
    now = wiring.clock()
    try:
        _, upload = await uploaded(request, person, logo.MAX_BYTES)
        picture = await run_in_threadpool(logo.logo_from, upload.content) if upload else None
    except Unacceptable as unacceptable:
        return await _page(wiring, request, person, unacceptable.faults)
    async with wiring.pool.connection() as connection, connection.transaction():
        draft = await draft_of(connection, application_id, person)
        digest = await keep_content(connection, picture, logo.MEDIA_TYPE, now) if picture else None
        await set_logo(connection, draft.id, digest, now)
    return _back(application_id)


async def document(wiring: Wiring, request: Request) -> Response:
    """A document, to keep. Of a draft only its vendor knows."""
    person = await signed_in(wiring, request, "vendor", *READERS)
    async with wiring.pool.connection() as connection:
        found = await document_by_id(connection, id_in_path(request, "document_id"))
        if found is None:
            raise Unknown
        await _read_by(connection, found.application_id, person)
        content = await read_content(connection, found.sha256)
    if content is None:
        raise Unknown
    return handed_out(found, content)


def handed_out(found: Document, content: Content) -> Response:
    """A document with its bytes, to keep and never to run."""
    plain = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in found.name
    )
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(found.name, safe='')}"
    media_type = f"{content.media_type}; charset=utf-8" if content.media_type == "text/plain" else content.media_type
    return Response(content.content, media_type=media_type, headers={**SEALED, "Content-Disposition": disposition})


async def picture(wiring: Wiring, request: Request) -> Response:
    """The logo of an application, for those who may read it; that of an app in force is public by its own address."""
    person = await signed_in(wiring, request, "vendor", *READERS)
    application_id = id_in_path(request, "application_id")
    async with wiring.pool.connection() as connection:
        owner = await _read_by(connection, application_id, person)
        content = await read_content(connection, owner.logo) if owner.logo is not None else None
    if content is None:
        raise Unknown
    return Response(content.content, media_type=content.media_type, headers=SEALED)


async def _read_by(connection: Connection, application_id: UUID, person: Person) -> Row:
    """`logo` of an application that `person` may read. Raises Unknown for one that is none of theirs, NotAllowed for
    a reviewer who has an interest or has not declared that there is none."""
    owner = await (await connection.execute(OWNER, (application_id,))).fetchone()
    if owner is None:
        raise Unknown
    if await role_of(connection, owner.vendor_id, person.id) is not None:
        return owner
    if person.kind not in READERS or owner.state == "draft":
        raise Unknown
    if bar := await bar_to_reading(connection, await dossier_of(connection, application_id), person):
        raise NotAllowed(bar)
    return owner


async def _page(wiring: Wiring, request: Request, person: Person, faults: tuple[Fault, ...] = ()) -> Response:
    async with wiring.pool.connection() as connection, connection.transaction():
        draft = await draft_of(connection, id_in_path(request, "application_id"), person)
        progress = await progress_of(connection, draft, wiring.choices)
    context = {
        "draft": draft,
        "section": "documents",
        "sections": progress.sections,
        "labels": LABELS,
        "documents": progress.documents,
        "kinds": KINDS,
        "max_mb": MAX_BYTES >> 20,
        "problems": progress.problems("documents"),
        "faults": faults,
        "csrf_token": person.csrf_token,
    }
    response = wiring.render(request, "app_catalog/draft/documents.html", context)
    if faults:
        response.status_code = Unacceptable.http_status
    return response


def _back(application_id: UUID) -> Response:
    return see_other(f"/catalogue/vendor/applications/{application_id}/documents")
