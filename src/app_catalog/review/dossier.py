"""An application in review: what it is, who may work on it, and how each step of the work is written down."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app_catalog.applications.submission import Step
from app_catalog.catalogue.status import Status
from app_catalog.errors import Fault, NotAllowed, Unacceptable, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.vendors.vendor import vendors_of
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Person
from app_catalog.words import marked

_DOSSIER = """SELECT v.id, v.app_id, a.vendor_id, n.name AS vendor_name, v.name, v.version, v.state, v.exchanges_data,
    a.status, v.submitted_at
  FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id JOIN catalogue.vendor n ON n.id = a.vendor_id
  WHERE v.id = %s AND v.state <> 'draft'"""
ADD_STEP = """INSERT INTO catalogue.app_step (app_id, application_id, step, from_status, to_status, actor, actor_name,
    reason, at)
  VALUES (%(app)s, %(application)s, %(step)s, %(status)s, %(status)s, %(actor)s, %(name)s, %(reason)s, %(at)s)"""
INTERESTS = (
    "SELECT bool_or(has_interest) AS has_interest FROM catalogue.interest WHERE application_id = %s AND reviewer = %s"
)

# Apps in whose newest version, of those that the reviewer declared anything about, they declared an interest.
INTERESTED_IN = """SELECT app_id FROM (
    SELECT v.app_id, v.version, max(v.version) OVER (PARTITION BY v.app_id) AS newest, i.has_interest
    FROM catalogue.interest i JOIN catalogue.application v ON v.id = i.application_id WHERE i.reviewer = %s) declared
  WHERE version = newest GROUP BY app_id HAVING bool_or(has_interest)"""

REVIEWERS = frozenset({"reviewer"})
SUBMITTED, ADMISSIBLE = "submitted", "admissible"
MAX_TEXT = 4000  # characters of what a reviewer or a vendor writes in one place

NOT_ADMISSIBLE = marked("The application has not been found complete yet, or it was decided.")
DECLARE_FIRST = marked("Declare first whether you have an interest in this application.")
EXCLUDED = marked("You declared an interest in this application: others review it.")
OF_THE_VENDOR = marked("A member of the vendor does not decide about its apps.")


@dataclass(frozen=True)
class Dossier:
    """An application that was submitted. `state` is that of its row, `status` that of its app."""

    id: UUID
    app_id: UUID
    vendor_id: UUID
    vendor_name: str
    name: str
    version: int
    state: str
    exchanges_data: bool
    status: Status
    submitted_at: datetime

    @property
    def is_undecided(self) -> bool:
        return self.state in {SUBMITTED, ADMISSIBLE}


async def dossier_of(connection: Connection, application_id: UUID, *, lock: bool = False) -> Dossier:
    """The dossier; with `lock` nobody else decides about it until the transaction ends. Raises Unknown for a draft."""
    query = _DOSSIER + (" FOR UPDATE OF v" if lock else "")
    row = await (await connection.execute(query, (application_id,))).fetchone()
    if row is None:
        raise Unknown
    return Dossier(
        row.id, row.app_id, row.vendor_id, row.vendor_name, row.name, row.version, row.state, row.exchanges_data,
        Status(row.status), row.submitted_at,
    )  # fmt: skip


async def bar_to(connection: Connection, dossier: Dossier, person: Person) -> str | None:
    """Why `person` may not take part in the review, as an English msgid; None when nothing is in the way.

    A member of the vendor is barred, and so is whoever declared an interest or has declared nothing yet.
    """
    if dossier.vendor_id in await vendors_of(connection, person.id):
        return OF_THE_VENDOR
    row = await (await connection.execute(INTERESTS, (dossier.id, person.id))).fetchone()
    if row is None or row.has_interest is None:
        return DECLARE_FIRST
    return EXCLUDED if row.has_interest else None


async def bar_to_reading(connection: Connection, dossier: Dossier, person: Person) -> str | None:
    """Why a reviewer may not even read what the vendor submitted; None when nothing is in the way.

    An interest bars for good. Who has declared nothing reads what was decided: complaints and audits are about it, and
    nobody can declare any more.
    """
    bar = await bar_to(connection, dossier, person)
    if bar == DECLARE_FIRST and not dossier.is_undecided:
        bar = None
    return bar or (EXCLUDED if dossier.app_id in await interested_in(connection, person) else None)


async def interested_in(connection: Connection, person: Person) -> frozenset[UUID]:
    """Ids of apps from which a reviewer keeps away, whatever is to be done about them."""
    rows = await (await connection.execute(INTERESTED_IN, (person.id,))).fetchall()
    return frozenset(row.app_id for row in rows)


async def opened(connection: Connection, application_id: UUID, person: Person, *, state: str = ADMISSIBLE) -> Dossier:
    """The dossier, locked, for a reviewer without interest to work on. Raises Unknown, NotAllowed or WrongState."""
    if person.kind not in REVIEWERS:
        raise NotAllowed
    dossier = await dossier_of(connection, application_id, lock=True)
    if bar := await bar_to(connection, dossier, person):
        raise NotAllowed(bar)
    if dossier.state != state:
        raise WrongState(NOT_ADMISSIBLE if state == ADMISSIBLE else None)
    return dossier


async def written_down(
    connection: Connection,
    dossier: Dossier,
    step: Step,
    event: EventName,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
    reason: str | None = None,
    **details: Any,  # what JSON can hold
) -> None:
    """A step of the review, for the history that its pages show and for the journal."""
    values = {
        "app": dossier.app_id, "application": dossier.id, "step": step.value, "status": dossier.status.value,
        "actor": person.id, "name": person.display_name, "reason": reason, "at": now,
    }  # fmt: skip
    await connection.execute(ADD_STEP, values)
    event_details = {"app": dossier.name, "version": dossier.version, **details}
    await journal.write(
        connection,
        CatalogueEvent(
            event, None, person.kind, person.id, person.display_name, f"application/{dossier.id}", reason=reason,
            details=event_details,
        ),
    )  # fmt: skip


def checked_text(pointer: str, text: str, *, limit: int = MAX_TEXT) -> str:
    """`text` without blanks around it. Raises Unacceptable for none, too much, or what cannot be shown."""
    text = text.strip()
    if not text or len(text) > limit or "\0" in text:
        raise Unacceptable(Fault(pointer, "Write what there is to say, in at most 4000 characters."))
    return text


def checked_day(pointer: str, text: str) -> date:
    """Raises Unacceptable for what is no date of ISO 8601."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unacceptable(Fault(pointer, "This is not a date.")) from None
