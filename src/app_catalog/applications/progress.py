"""How far a draft is: its sections, what is still missing, and the page on which to add it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from app_catalog.applications.application import Application
from app_catalog.applications.draft import Draft
from app_catalog.applications.labels import LABELS, NO_LABEL
from app_catalog.applications.missing import missing
from app_catalog.applications.typed import CLIENT_TEXTS, answers_from, application_from
from app_catalog.criteria.answers import Answer
from app_catalog.criteria.criterion import AREAS, CriteriaSet, current_set
from app_catalog.documents.document import Document, documents_of
from app_catalog.errors import Fault
from app_catalog.wiring import Choice, Connection
from app_catalog.words import marked


@dataclass(frozen=True)
class Missing:
    """Something to add or to change.

    path   of the page, below the draft's · field  its id on that page
    label  of the field, as an English msgid · about  which purpose or criterion, in the vendor's words
    """

    path: str
    field: str
    label: str
    about: str
    message: str


@dataclass(frozen=True)
class Section:
    """A page of the form. `begun` says whether it was ever saved."""

    path: str
    name: str
    begun: bool
    missing: int


@dataclass(frozen=True)
class Progress:
    draft: Draft
    application: Application
    answers: Mapping[str, Answer]
    documents: tuple[Document, ...]
    criteria: CriteriaSet

    @cached_property
    def missing(self) -> tuple[Missing, ...]:
        follows = self.draft.in_force is not None
        faults = missing(self.application, self.answers, self.documents, self.criteria, follows=follows)
        return tuple(self._place(fault) for fault in faults)

    @property
    def sections(self) -> tuple[Section, ...]:
        """In the order in which they are filled in. An app that exchanges nothing has neither client nor purposes."""
        typed, exchanges = self.draft.typed, self.application.exchanges_data
        pages = [("identity", marked("The app, its description and links"), "saved" in typed.get("identity", {}))]
        if exchanges:
            pages += [
                ("client", marked("OAuth client"), "client" in typed),
                ("purposes", LABELS["purposes"], "purposes" in typed),
            ]
        pages.append(("documents", marked("Logo and documents"), bool(self.documents or self.draft.logo)))
        asked = {one.area for one in self.criteria.asked(exchanges_data=exchanges)}
        begun = {self.criteria.by_code[code].area for code in self.answers if code in self.criteria.by_code}
        pages += [(f"criteria/{area}", name, area in begun) for area, name in AREAS.items() if area in asked]
        return tuple(Section(path, name, done, self._missing_below(path)) for path, name, done in pages)

    def problems(self, path: str) -> dict[str, str]:
        """What is missing on one page: an English msgid by the id of the field."""
        return {one.field: one.message for one in reversed(self.missing) if one.path == path}

    def _missing_below(self, path: str) -> int:
        return sum(one.path == path or one.path.startswith(f"{path}/") for one in self.missing)

    def _place(self, fault: Fault) -> Missing:
        first, *rest = fault.pointer.strip("/").split("/")
        if first == "criteria":
            code = rest[0]
            return Missing(f"criteria/{self.criteria.by_code[code].area}", code, LABELS[first], code, fault.message)
        if first == "purposes" and rest:
            typed = self.draft.typed["purposes"][int(rest[0])]
            about = typed.get("name_fr") or typed.get("key") or f"{int(rest[0]) + 1}"
            field = "_".join(rest[1:])
            return Missing(f"purposes/{typed['id']}", field, LABELS.get(field, NO_LABEL), about, fault.message)
        if first in {"documents", "purposes"}:
            return Missing(first, first, LABELS[first], "", fault.message)
        field = "_".join([first, *(part for part in rest if not part.isdecimal())])
        path = "client" if field in CLIENT_TEXTS else "identity"
        return Missing(path, field, LABELS.get(field, NO_LABEL), "", fault.message)


async def progress_of(connection: Connection, draft: Draft, choices: Iterable[Choice]) -> Progress:
    return Progress(
        draft,
        application_from(draft.typed, choices),
        answers_from(draft.typed),
        tuple(await documents_of(connection, draft.id)),
        await current_set(connection),
    )
