"""Documents and the logo of an application: their bytes are the body, whatever they are called."""

from typing import Literal
from uuid import UUID

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app_catalog.api.described import shown_document
from app_catalog.api.model import Query
from app_catalog.api.operation import Call, Created, File
from app_catalog.api.own import own_application
from app_catalog.applications.draft import draft_of, set_logo
from app_catalog.documents import logo as pictures
from app_catalog.documents.content import keep_content, read_content
from app_catalog.documents.document import MAX_BYTES, Document, add_document, document_by_id, remove_document
from app_catalog.documents.media_type import DOCUMENT_TYPES
from app_catalog.documents.pages import SEALED, handed_out
from app_catalog.documents.upload import Upload, shown_name
from app_catalog.errors import Unknown

OCTETS = "application/octet-stream"
DOCUMENT = File(frozenset({*DOCUMENT_TYPES, OCTETS}), MAX_BYTES)
LOGO = File(frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", OCTETS}), pictures.MAX_BYTES)


class NewDocument(Query):
    kind: Literal["impact_assessment", "supporting", "evidence"]
    name: str = Field(min_length=1, max_length=120, description="Of the file, for people.")


async def new_document(call: Call) -> Created:
    """What it is, its bytes say."""
    asked: NewDocument = call.query
    row = await own_application(call)
    now = call.wiring.clock()
    async with call.connection.transaction():
        draft = await draft_of(call.connection, row.id, call.program)
        upload = Upload(shown_name(asked.name), call.body)
        added = await add_document(call.connection, draft.id, asked.kind, upload, person=call.program, now=now)
        document = await _document(call, draft.id, added)
    return Created(shown_document(document), f"{call.request.url.path}/{added}")


async def document(call: Call) -> Response:
    return await handed_out_of(call, (await own_application(call)).id)


async def handed_out_of(call: Call, application_id: UUID) -> Response:
    """The document in the path, of an application that the caller may read. Raises Unknown."""
    found = await _document(call, application_id, call.id("document_id"))
    content = await read_content(call.connection, found.sha256)
    if content is None:
        raise Unknown
    return handed_out(found, content)


async def remove(call: Call) -> None:
    row = await own_application(call)
    async with call.connection.transaction():
        draft = await draft_of(call.connection, row.id, call.program)
        found = await _document(call, draft.id, call.id("document_id"))
        await remove_document(call.connection, draft.id, found.id)


async def logo(call: Call) -> Response:
    row = await own_application(call)
    content = await read_content(call.connection, bytes(row.logo)) if row.logo is not None else None
    if content is None:
        raise Unknown
    return Response(content.content, media_type=content.media_type, headers=SEALED)


async def new_logo(call: Call) -> None:
    """Decoded and written anew: only its pixels are kept."""
    row = await own_application(call)
    picture = await run_in_threadpool(pictures.logo_from, call.body)
    now = call.wiring.clock()
    async with call.connection.transaction():
        draft = await draft_of(call.connection, row.id, call.program)
        digest = await keep_content(call.connection, picture, pictures.MEDIA_TYPE, now)
        await set_logo(call.connection, draft.id, digest, now)


async def remove_logo(call: Call) -> None:
    row = await own_application(call)
    async with call.connection.transaction():
        draft = await draft_of(call.connection, row.id, call.program)
        await set_logo(call.connection, draft.id, None, call.wiring.clock())


async def _document(call: Call, application_id: UUID, document_id: UUID) -> Document:
    found = await document_by_id(call.connection, document_id)
    if found is None or found.application_id != application_id:
        raise Unknown
    return found
