"""One application with everything that belongs to it: what reviewers work on, and what its vendor sees of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app_catalog.applications.application import Application, PurposeDraft
from app_catalog.applications.difference import Change, Side, difference
from app_catalog.applications.progress import Progress
from app_catalog.applications.stored import StoredApplication, stored_application
from app_catalog.criteria.answers import Answer, answers_of
from app_catalog.criteria.criterion import CriteriaSet, Criterion, set_of_version
from app_catalog.documents.document import Document, documents_of
from app_catalog.wiring import Connection

# What a version is compared with: the one that was in force when it was submitted, or is while it is not decided.
FORMER = """SELECT id, version FROM catalogue.application
  WHERE app_id = %s AND state = 'approved' AND version < %s ORDER BY version DESC LIMIT 1"""
VENDOR = """SELECT a.vendor_id, n.name AS vendor_name FROM catalogue.app a JOIN catalogue.vendor n ON n.id = a.vendor_id
  WHERE a.id = %s"""


@dataclass(frozen=True)
class Dossier:
    """criteria     the set that was answered; None for what was submitted before there were criteria
    unchanged    keys of purposes that patients need not be asked about again
    former       the version that `changes` compares with; None for the first one
    """

    id: UUID
    app_id: UUID
    vendor_id: UUID
    vendor_name: str
    version: int
    state: str
    submitted_at: datetime | None
    decided_at: datetime | None
    reason: str | None
    application: Application
    logo: bytes | None
    documents: tuple[Document, ...]
    criteria: CriteriaSet | None
    answers: Mapping[str, Answer]
    unchanged: frozenset[str]
    former: int | None
    changes: tuple[Change, ...]

    @property
    def purposes(self) -> tuple[PurposeDraft, ...]:
        return self.application.purposes

    @property
    def answered(self) -> tuple[tuple[Criterion, Answer], ...]:
        """Each criterion that was asked, with its answer, in the order of the set."""
        if self.criteria is None:
            return ()
        return tuple((one, self.answers[one.code]) for one in self.criteria.criteria if one.code in self.answers)

    def document(self, document_id: UUID | None) -> Document | None:
        return next((document for document in self.documents if document.id == document_id), None)


async def dossier(connection: Connection, application_id: UUID) -> Dossier | None:
    """The dossier of an application that was submitted; None for a draft."""
    stored = await stored_application(connection, application_id)
    if stored is None or stored.submitted_at is None:
        return None
    vendor = await (await connection.execute(VENDOR, (stored.app_id,))).fetchone()
    if vendor is None:
        return None
    side = await side_of(connection, stored)
    former = await former_of(connection, stored.app_id, stored.version)
    version = stored.criteria_version
    return Dossier(
        id=stored.id,
        app_id=stored.app_id,
        vendor_id=vendor.vendor_id,
        vendor_name=vendor.vendor_name,
        version=stored.version,
        state=stored.state,
        submitted_at=stored.submitted_at,
        decided_at=stored.decided_at,
        reason=stored.reason,
        application=stored.application,
        logo=stored.logo,
        documents=tuple(side.documents),
        criteria=await set_of_version(connection, version) if version is not None else None,
        answers=side.answers,
        unchanged=_unchanged(stored, former),
        former=former.version if former else None,
        changes=difference(await side_of(connection, former), side) if former else (),
    )


async def draft_dossier(connection: Connection, progress: Progress) -> Dossier:
    """A draft in the form of what it would be, for who reads it and does not write. Nothing of it was checked."""
    draft, application = progress.draft, progress.application
    [vendor] = await (await connection.execute(VENDOR, (draft.app_id,))).fetchall()
    former = await former_of(connection, draft.app_id, draft.version)
    here = Side(application, progress.answers, progress.documents, draft.logo)
    return Dossier(
        id=draft.id,
        app_id=draft.app_id,
        vendor_id=draft.vendor_id,
        vendor_name=vendor.vendor_name,
        version=draft.version,
        state="draft",
        submitted_at=None,
        decided_at=None,
        reason=None,
        application=application,
        logo=draft.logo,
        documents=progress.documents,
        criteria=progress.criteria,
        answers=progress.answers,
        unchanged=frozenset(),
        former=former.version if former else None,
        changes=difference(await side_of(connection, former), here) if former else (),
    )


async def former_of(connection: Connection, app_id: UUID, version: int) -> StoredApplication | None:
    """The approved version before `version`."""
    row = await (await connection.execute(FORMER, (app_id, version))).fetchone()
    return await stored_application(connection, row.id) if row else None


async def side_of(connection: Connection, stored: StoredApplication) -> Side:
    """A version as `difference` compares it."""
    answers = await answers_of(connection, stored.id)
    return Side(stored.application, answers, await documents_of(connection, stored.id), stored.logo)


def _unchanged(stored: StoredApplication, former: StoredApplication | None) -> frozenset[str]:
    known = frozenset(former.same_as) if former else frozenset()
    pairs = zip(stored.application.purposes, stored.same_as, strict=True)
    return frozenset(purpose.key for purpose, same_as in pairs if same_as in known)
