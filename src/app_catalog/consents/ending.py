"""The day on which a consent ends: chosen by the patient, kept by every check, written down when it has come."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from app_catalog.actor import SYSTEM
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.consents.pairing import current, end_all_at, locked_pairing
from app_catalog.consents.period import last_day
from app_catalog.consents.revocation import DATE_CAME, end_pairing
from app_catalog.consents.setback import Work, alone
from app_catalog.errors import Unknown
from app_catalog.events import EventName
from app_catalog.space import space
from app_catalog.wiring import CatalogueEvent, Connection, DataPlane, Journal, Person

ENDED: Final = "SELECT subject, pairing_id FROM catalogue.consents_ended(%s)"
APP: Final = "SELECT app_id FROM catalogue.pairing WHERE id = %s"
CLOSE: Final = """UPDATE catalogue.consent SET withdrawn_at = ends_at, closed_as = 'ended'
  WHERE pairing_id = %s AND withdrawn_at IS NULL AND ends_at <= %s RETURNING purpose_key"""


async def choose_end(
    connection: Connection,
    subject: UUID,
    app_id: UUID,
    ends_at: datetime,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
) -> None:
    """Have everything that the patient agrees to for an app end at `ends_at`. Raises Unknown for nothing agreed to."""
    async with space(connection, subject):
        app = await app_by_id(connection, app_id)
        pairing_id = await locked_pairing(connection, app_id, subject)
        if app is None or pairing_id is None or not await current(connection, pairing_id):
            raise Unknown
        changed = await end_all_at(connection, pairing_id, ends_at, subject=subject, person_id=person.id, now=now)
        if changed:
            event = CatalogueEvent(
                EventName.END_CHOSEN, subject, person.kind, person.id, person.display_name, f"app/{app.id}",
                count=changed, details={"app": app.name, "until": last_day(ends_at, person.zone).isoformat()},
            )  # fmt: skip
            await journal.write(connection, event)


async def end_consents(connection: Connection, journal: Journal, data_plane: DataPlane, now: datetime) -> int:
    """Write down which consents have reached their day, and end the access that was left without any. Returns for how
    many apps. Nothing waits for it: every check has seen the day itself."""
    rows = await (await connection.execute(ENDED, (now,))).fetchall()
    for row in rows:
        async with alone(connection, Work.END, row.subject):
            await _end(connection, row.subject, row.pairing_id, journal=journal, data_plane=data_plane, now=now)
    return len(rows)


async def _end(
    connection: Connection, subject: UUID, pairing_id: UUID, *, journal: Journal, data_plane: DataPlane, now: datetime
) -> None:
    found = await (await connection.execute(APP, (pairing_id,))).fetchone()
    app = await app_by_id(connection, found.app_id) if found else None
    if app is None or await locked_pairing(connection, app.id, subject) is None:
        return
    closed = await (await connection.execute(CLOSE, (pairing_id, now))).fetchall()
    if not closed:  # the patient chose another day a moment ago
        return
    await journal.write(connection, _purposes_ended(subject, app, (row.purpose_key for row in closed)))
    if not await current(connection, pairing_id):
        await end_pairing(
            connection, subject, app, DATE_CAME, actor=SYSTEM, journal=journal, data_plane=data_plane, now=now
        )


def _purposes_ended(subject: UUID, app: App, keys: Iterable[str]) -> CatalogueEvent:
    return CatalogueEvent(
        EventName.PURPOSE_ENDED, subject, SYSTEM.kind, None, SYSTEM.display_name, f"app/{app.id}",
        purpose=" ".join(sorted(keys)), reason=DATE_CAME.reason, details={"app": app.name},
    )  # fmt: skip
