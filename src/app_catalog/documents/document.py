"""Documents of an application: added and taken away while it is a draft, kept with its version from then on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from app_catalog.documents.content import keep_content
from app_catalog.documents.media_type import media_type_of
from app_catalog.documents.upload import TOO_LARGE, Upload
from app_catalog.errors import Fault, Unacceptable, WrongState
from app_catalog.wiring import Connection, Person, Row
from app_catalog.words import marked

IMPACT_ASSESSMENT, SUPPORTING, EVIDENCE = "impact_assessment", "supporting", "evidence"
KINDS: Mapping[str, str] = {
    IMPACT_ASSESSMENT: marked("Impact assessment (DPIA)"),
    SUPPORTING: marked("Supporting document"),
    EVIDENCE: marked("Evidence for a criterion"),
}
"""Names of the kinds, as English msgids."""
MAX_BYTES = 10 << 20
MAX_DOCUMENTS = 30  # of one version: one per criterion, if a vendor insists

_DOCUMENTS = """SELECT d.id, d.application_id, d.kind, d.name, d.sha256, c.media_type, length(c.bytes) AS size,
    d.added_at
  FROM catalogue.document d JOIN catalogue.content c ON c.sha256 = d.sha256"""
DOCUMENTS_OF = f"{_DOCUMENTS} WHERE d.application_id = %s ORDER BY d.kind, d.added_at, d.id"
DOCUMENT = f"{_DOCUMENTS} WHERE d.id = %s"
ADD = """INSERT INTO catalogue.document (id, application_id, kind, name, sha256, added_by, added_at)
  VALUES (%s, %s, %s, %s, %s, %s, %s)"""
REMOVE = "DELETE FROM catalogue.document WHERE id = %s AND application_id = %s"


@dataclass(frozen=True)
class Document:
    """`size` in bytes; `sha256` of the content, which `documents.content` reads."""

    id: UUID
    application_id: UUID
    kind: str
    name: str
    media_type: str
    size: int
    sha256: bytes
    added_at: datetime


async def documents_of(connection: Connection, application_id: UUID) -> list[Document]:
    """By kind, the oldest first."""
    rows = await (await connection.execute(DOCUMENTS_OF, (application_id,))).fetchall()
    return [_document(row) for row in rows]


async def document_by_id(connection: Connection, document_id: UUID) -> Document | None:
    row = await (await connection.execute(DOCUMENT, (document_id,))).fetchone()
    return _document(row) if row else None


async def add_document(
    connection: Connection, application_id: UUID, kind: str, upload: Upload, *, person: Person, now: datetime
) -> UUID:
    """Add a file to a draft that the caller has locked; returns its id. Raises Unacceptable."""
    if kind not in KINDS:
        raise Unacceptable(Fault("/kind", "Choose what kind of document this is."))
    if len(upload.content) > MAX_BYTES:
        raise Unacceptable(TOO_LARGE)
    media_type = media_type_of(upload.content)
    if media_type is None:
        raise Unacceptable(Fault("/file", "A document is a complete PDF, PNG, JPEG or plain text file."))
    if len(await documents_of(connection, application_id)) >= MAX_DOCUMENTS:
        raise WrongState("An application has at most 30 documents.")
    digest = await keep_content(connection, upload.content, media_type, now)
    document = uuid4()
    await connection.execute(ADD, (document, application_id, kind, upload.name, digest, person.id, now))
    return document


async def remove_document(connection: Connection, application_id: UUID, document_id: UUID) -> None:
    """Take a file out of a draft that the caller has locked. Nothing happens where it was not in it."""
    await connection.execute(REMOVE, (document_id, application_id))


async def copy_documents(
    connection: Connection, base: UUID, application_id: UUID, *, person: Person, now: datetime
) -> dict[UUID, UUID]:
    """Give a new draft the documents of `base`; returns the new id of each former one."""
    copies = {}
    for document in await documents_of(connection, base):
        copies[document.id] = copy = uuid4()
        parameters = (copy, application_id, document.kind, document.name, document.sha256, person.id, now)
        await connection.execute(ADD, parameters)
    return copies


def _document(row: Row) -> Document:
    return Document(
        row.id, row.application_id, row.kind, row.name, row.media_type, row.size, bytes(row.sha256), row.added_at
    )
