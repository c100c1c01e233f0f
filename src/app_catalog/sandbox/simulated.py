"""A vendor's simulated patients: made, reset and ended by its members; few at a time."""

from datetime import datetime
from uuid import UUID

from app_catalog.actor import Actor
from app_catalog.catalogue.apps import App, app_by_id, tested_app
from app_catalog.consents.notices import Why
from app_catalog.consents.revocation import Ending, end_pairing
from app_catalog.errors import Fault, Unacceptable, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.space import space
from app_catalog.vendors.members import LOCK
from app_catalog.vendors.role import WRITERS, require
from app_catalog.vendors.step import VendorStep, note
from app_catalog.wiring import Connection, DataPlane, Journal, Language, Person, Row, Sandbox, SimulatedPatient

MAX_PATIENTS = 5  # of one vendor at a time: enough for a family of test cases, and no load on the store
MAX_NAME = 60  # characters
ADD = """INSERT INTO catalogue.sandbox_space (subject, vendor_id, name, username, created_by, created_by_name,
    created_at)
  VALUES (%s, %s, %s, %s, %s, %s, %s)"""
LIVE = """SELECT subject, name, username, created_by_name, created_at, reset_at, warned_at
  FROM catalogue.sandbox_space WHERE vendor_id = %s AND ended_at IS NULL ORDER BY created_at, subject"""
ONE = "SELECT name FROM catalogue.sandbox_space WHERE subject = %s AND vendor_id = %s AND ended_at IS NULL FOR UPDATE"
END = "UPDATE catalogue.sandbox_space SET ended_at = %s WHERE subject = %s"
RESET_AT = "UPDATE catalogue.sandbox_space SET reset_at = %s WHERE subject = %s"
UNDECIDED_APPS = """SELECT DISTINCT a.id FROM catalogue.app a JOIN catalogue.application v ON v.app_id = a.id
  WHERE a.vendor_id = %s AND v.state IN ('submitted', 'admissible') ORDER BY a.id"""
VENDOR_OF = "SELECT vendor_id FROM catalogue.sandbox_space WHERE subject = %s AND ended_at IS NULL"

PAIRED_APPS = "SELECT app_id FROM catalogue.pairing ORDER BY app_id"  # of the present space

RESET = Ending(EventName.APP_ENDED, "The simulated patient was reset.", "disconnected", Why.PATIENT)
ENDED = Ending(EventName.APP_ENDED, "The simulated patient was ended.", "disconnected", Why.PATIENT)


async def simulated_patients(connection: Connection, vendor_id: UUID) -> list[Row]:
    """Those that live: `subject`, `name`, `username`, `created_by_name`, `created_at`, `reset_at`, `warned_at`."""
    return await (await connection.execute(LIVE, (vendor_id,))).fetchall()


async def open_patient(
    connection: Connection,
    vendor_id: UUID,
    name: str,
    language: Language,
    *,
    person: Person,
    sandbox: Sandbox,
    journal: Journal,
    now: datetime,
) -> SimulatedPatient:
    """A new simulated patient, whose password is in the answer only. Owners and developers.

    Raises NotAllowed, Unacceptable, or WrongState where the vendor has as many as it may.
    """
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise Unacceptable(Fault("/name", "This is needed: 60 printable characters at most."))
    async with connection.transaction():
        await connection.execute(LOCK, (vendor_id,))
        await require(connection, vendor_id, person, *WRITERS)
        if len(await simulated_patients(connection, vendor_id)) >= MAX_PATIENTS:
            raise WrongState("Five simulated patients at a time are the most: end one first.")
        made = await sandbox.open(connection, name, language)
        await connection.execute(
            ADD, (made.subject, vendor_id, name, made.username, person.id, person.display_name, now)
        )
        await note(
            connection, vendor_id, VendorStep.SANDBOX_OPENED, person=person, journal=journal, now=now, about=name
        )
    return made


async def reset_patient(
    connection: Connection,
    vendor_id: UUID,
    subject: UUID,
    *,
    person: Person,
    sandbox: Sandbox,
    data_plane: DataPlane,
    journal: Journal,
    now: datetime,
) -> None:
    """As new: no app is connected, and the readings are simulated again, up to now. Raises NotAllowed or Unknown."""
    async with connection.transaction():
        name = await _locked(connection, vendor_id, subject, person)
        await disconnect(connection, subject, RESET, actor=person, data_plane=data_plane, journal=journal, now=now)
        await connection.execute(RESET_AT, (now, subject))
        await sandbox.reset(connection, subject)
        await note(connection, vendor_id, VendorStep.SANDBOX_RESET, person=person, journal=journal, now=now, about=name)


async def end_patient(
    connection: Connection,
    vendor_id: UUID,
    subject: UUID,
    *,
    person: Person,
    sandbox: Sandbox,
    data_plane: DataPlane,
    journal: Journal,
    now: datetime,
) -> None:
    """Its apps are disconnected, its account and its readings are gone. Raises NotAllowed or Unknown."""
    async with connection.transaction():
        name = await _locked(connection, vendor_id, subject, person)
        await disconnect(connection, subject, ENDED, actor=person, data_plane=data_plane, journal=journal, now=now)
        await connection.execute(END, (now, subject))
        await sandbox.end(connection, subject)
        await note(connection, vendor_id, VendorStep.SANDBOX_ENDED, person=person, journal=journal, now=now, about=name)


async def apps_to_try(connection: Connection, vendor_id: UUID) -> list[App]:
    """The vendor's apps that wait for a decision, each as its application describes it."""
    rows = await (await connection.execute(UNDECIDED_APPS, (vendor_id,))).fetchall()
    return [app for row in rows if (app := await tested_app(connection, row.id))]


async def apps_of_simulated(connection: Connection, subject: UUID) -> list[App]:
    """The apps that a simulated patient meets: those of its vendor that wait for a decision."""
    row = await (await connection.execute(VENDOR_OF, (subject,))).fetchone()
    return await apps_to_try(connection, row.vendor_id) if row else []


async def _locked(connection: Connection, vendor_id: UUID, subject: UUID, person: Person) -> str:
    await require(connection, vendor_id, person, *WRITERS)
    row = await (await connection.execute(ONE, (subject, vendor_id))).fetchone()
    if row is None:
        raise Unknown
    return str(row.name)


async def disconnect(
    connection: Connection,
    subject: UUID,
    ending: Ending,
    *,
    actor: Actor,
    data_plane: DataPlane,
    journal: Journal,
    now: datetime,
) -> None:
    """End every connection of a simulated patient."""
    async with space(connection, subject):
        for row in await (await connection.execute(PAIRED_APPS)).fetchall():
            if app := await app_by_id(connection, row.app_id):
                await end_pairing(
                    connection, subject, app, ending, actor=actor, journal=journal, data_plane=data_plane, now=now
                )
