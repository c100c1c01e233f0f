"""Asking connected patients again: a new version of their app is in force, or they have come of age.

What a purpose says word for word as before goes on until the limit; what is new or says something else opens nothing
until the patient agrees; after the limit nothing is opened until they answer. `catalogue.grant_at` sees to that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.consents.pairing import current, current_end, end_all_at, give, locked_pairing, withdraw
from app_catalog.consents.wording import language_of
from app_catalog.errors import Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.space import space
from app_catalog.wiring import CatalogueEvent, Connection, DataPlane, Journal, Person, Row

TO_ANSWER: Final = timedelta(days=30)  # a month: longer than most journeys, short of leaving an old yes in force

ASK: Final = "SELECT catalogue.ask_again(%s, %s, %s, %s, %s)"
ASK_OF_AGE: Final = """INSERT INTO catalogue.reapproval (pairing_id, subject, app_id, application_id,
    former_application_id, reason, asked_at, limit_at)
  SELECT r.id, r.subject, r.app_id, a.application_id, a.application_id, 'majority', %(now)s, %(until)s
  FROM catalogue.pairing r JOIN catalogue.app a ON a.id = r.app_id
  WHERE r.subject = %(subject)s AND a.application_id IS NOT NULL AND a.status <> 'DEREFERENCED'
    AND EXISTS (SELECT FROM catalogue.consent c
    WHERE c.pairing_id = r.id AND c.withdrawn_at IS NULL AND c.ends_at > %(now)s)
  ON CONFLICT (pairing_id) WHERE answered_at IS NULL DO NOTHING"""
OPEN: Final = """SELECT id, pairing_id, app_id, application_id, former_application_id, reason, asked_at, limit_at
  FROM catalogue.reapproval WHERE subject = %s AND answered_at IS NULL"""
SETTLE: Final = """UPDATE catalogue.reapproval SET answered_at = %s, answered_by = %s, outcome = 'agreed'
  WHERE pairing_id = %s AND answered_at IS NULL"""


@dataclass(frozen=True)
class Question:
    """What a patient is asked about: the version in force; `former_application_id` was when they were last asked.

    reason  ``majority``: what others agreed to for them is asked of them now, and nothing need have changed
    """

    id: UUID
    pairing_id: UUID
    app_id: UUID
    application_id: UUID
    former_application_id: UUID
    reason: Literal["version", "majority"]
    asked_at: datetime
    limit_at: datetime


class Unanswerable(WrongState):
    """A required purpose is left out, or every purpose is."""


class WordsChanged(WrongState):
    """A purpose says something else by now than what the patient has read."""


async def on_new_version(connection: Connection, *, app_id: UUID, version: UUID, former: UUID, now: datetime) -> None:
    """Ask every patient who is connected, in the transaction that puts the application `version` in force instead of
    `former`. Whoever has not yet answered about `former` keeps the earlier limit: versions do not put it off."""
    await connection.execute(ASK, (app_id, version, former, now, now + TO_ANSWER))


async def on_majority(connection: Connection, subject: UUID, now: datetime) -> None:
    """Ask a patient who has come of age about every app that is connected. A question that is open stays as it is."""
    async with space(connection, subject):
        await connection.execute(ASK_OF_AGE, {"subject": subject, "now": now, "until": now + TO_ANSWER})


async def open_questions(connection: Connection, subject: UUID) -> dict[UUID, Question]:
    """What the patient is asked at present, by the id of the app. Inside `space`."""
    rows = await (await connection.execute(OPEN, (subject,))).fetchall()
    return {row.app_id: _question(row) for row in rows}


async def open_question(connection: Connection, app_id: UUID, subject: UUID) -> Question | None:
    return (await open_questions(connection, subject)).get(app_id)


async def settle_question(connection: Connection, pairing_id: UUID, *, person_id: UUID, now: datetime) -> None:
    """The patient has answered, for every purpose of the version in force."""
    await connection.execute(SETTLE, (now, person_id, pairing_id))


async def answer_question(
    connection: Connection,
    subject: UUID,
    app_id: UUID,
    read: Mapping[str, UUID],
    *,
    ends_at: datetime | None = None,
    person: Person,
    journal: Journal,
    data_plane: DataPlane,
    now: datetime,
) -> None:
    """Agree to some purposes of the version in force, and to no other.

    read     what is agreed to: keys of purposes, each with the words that the patient has read (`Purpose.same_as`)
    ends_at  when that ends; as before where nothing is said

    Raises Unknown where nothing is asked, WordsChanged where other words are in force by now, Unanswerable where a
    required purpose or every purpose is left out: then the app is kept as it is, or disconnected.
    """
    async with space(connection, subject):
        pairing_id = await locked_pairing(connection, app_id, subject)
        app = await app_by_id(connection, app_id)
        if app is None or pairing_id is None or await open_question(connection, app_id, subject) is None:
            raise Unknown
        ticked = [purpose for purpose in app.purposes if purpose.key in read]
        if any(purpose.same_as != read[purpose.key] for purpose in ticked):
            raise WordsChanged
        if not ticked or any(purpose.required and purpose.key not in read for purpose in app.purposes):
            raise Unanswerable
        before = frozenset((await current(connection, pairing_id)).values())
        ends_at = ends_at or await current_end(connection, app_id, subject, now)
        offered = {purpose.key for purpose in app.purposes}
        unticked, gone = sorted(before & offered - read.keys()), sorted(before - offered)
        await withdraw(connection, pairing_id, unticked, person_id=person.id, now=now)
        await withdraw(connection, pairing_id, gone, person_id=person.id, now=now, closed_as="replaced")
        await give(
            connection,
            pairing_id,
            app,
            ticked,
            subject=subject,
            person_id=person.id,
            language=language_of(person.language),
            data_plane=data_plane,
            now=now,
            ends_at=ends_at,
        )
        if ends_at is not None:
            await end_all_at(connection, pairing_id, ends_at, subject=subject, person_id=person.id, now=now)
        await settle_question(connection, pairing_id, person_id=person.id, now=now)
        for key in unticked:
            await journal.write(connection, _event(EventName.PURPOSE_WITHDRAWN, subject, person, app, key))
        agreed = " ".join(purpose.key for purpose in ticked)
        await journal.write(connection, _event(EventName.VERSION_ANSWERED, subject, person, app, agreed))


def _question(row: Row) -> Question:
    return Question(
        row.id, row.pairing_id, row.app_id, row.application_id, row.former_application_id, row.reason, row.asked_at,
        row.limit_at,
    )  # fmt: skip


def _event(name: EventName, subject: UUID, person: Person, app: App, purpose: str) -> CatalogueEvent:
    return CatalogueEvent(
        name,
        subject,
        person.kind,
        person.id,
        person.display_name,
        f"app/{app.id}",
        purpose=purpose,
        details={"app": app.name},
    )
