"""Simulated patients that nobody uses: their vendor is told, and a fortnight later they end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from app_catalog.actor import SYSTEM
from app_catalog.catalogue.vendor_letter import ADDRESS, GREETING, GREETING_EN
from app_catalog.catalogue.written_day import written_day
from app_catalog.consents.notices import Why
from app_catalog.consents.revocation import Ending
from app_catalog.events import EventName
from app_catalog.sandbox.simulated import END, disconnect
from app_catalog.vendors.step import VendorStep, note
from app_catalog.wiring import Connection, DataPlane, Journal, Mail, Row, Sandbox

NOTICE: Final = timedelta(days=14)  # between the letter and the end: holidays are longer, but a sign-in is enough

MAYBE_UNUSED: Final = """SELECT subject FROM catalogue.sandbox_space
  WHERE ended_at IS NULL AND coalesce(reset_at, created_at) <= %s ORDER BY created_at, subject"""
LOCK: Final = """SELECT s.subject, s.vendor_id, n.name AS vendor_name, s.name, s.created_at, s.reset_at, s.warned_at
  FROM catalogue.sandbox_space s JOIN catalogue.vendor n ON n.id = s.vendor_id
  WHERE s.subject = %s AND s.ended_at IS NULL FOR UPDATE OF s"""
WARN: Final = "UPDATE catalogue.sandbox_space SET warned_at = %s WHERE subject = %s"

UNUSED: Final = Ending(EventName.APP_ENDED, "Nobody used the simulated patient.", "disconnected", Why.PATIENT)
SUBJECT: Final = "Patient simulé {name} / Simulated patient {name}"
TEXT_FR: Final = (
    "Le patient simulé « {name} » de {vendor} n’est plus utilisé : il prend fin le {day}, avec son compte et ses "
    "mesures. Une connexion à ce compte, ou sa réinitialisation, suffit pour le garder."
)
TEXT_EN: Final = (
    "The simulated patient “{name}” of {vendor} is not used any more: it ends on {day}, with its account and its "
    "readings. Signing in as that patient, or a reset, is enough to keep it."
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Lifetime:
    """used: the last time; ends: when it ends if nothing happens; warned: its vendor was told since it was used."""

    used: datetime
    ends: datetime
    warned: bool


async def lifetime(connection: Connection, sandbox: Sandbox, row: Row, days: int, now: datetime) -> Lifetime:
    """Of a row with `subject`, `created_at`, `reset_at` and `warned_at`. It ends `days` after it was used, and not
    before its vendor has had the time to do something about it."""
    seen = await sandbox.last_used(connection, row.subject)
    used = max(at for at in (row.created_at, row.reset_at, seen) if at is not None)
    warned = row.warned_at is not None and row.warned_at > used
    told = row.warned_at if warned else now
    return Lifetime(used, max(used + timedelta(days=days), told + NOTICE), warned)


async def end_unused(  # noqa: PLR0917  in the order of the host's words
    connection: Connection,
    sandbox: Sandbox,
    data_plane: DataPlane,
    mail: Mail,
    journal: Journal,
    days: int,
    now: datetime,
) -> int:
    """End the simulated patients that nobody used for `days`, and tell the vendors of those that will be next. Returns
    how many were ended."""
    latest, ended = now - timedelta(days=days) + NOTICE, 0
    for one in await (await connection.execute(MAYBE_UNUSED, (latest,))).fetchall():
        try:
            async with connection.transaction():
                row = await (await connection.execute(LOCK, (one.subject,))).fetchone()
                if row is None:
                    continue
                life = await lifetime(connection, sandbox, row, days, now)
                if life.warned and now >= life.ends:
                    await _end(connection, sandbox, data_plane, journal, row, now)
                    ended += 1
                elif not life.warned and now + NOTICE >= life.used + timedelta(days=days):
                    await _warn(connection, mail, journal, row, life.ends, now)
        except Exception as error:  # of one patient: the others go on
            if connection.closed:
                raise
            log.warning("simulated patient not kept", space=str(one.subject), error=type(error).__name__)
    return ended


async def _end(  # noqa: PLR0917  one call
    connection: Connection, sandbox: Sandbox, data_plane: DataPlane, journal: Journal, row: Row, now: datetime
) -> None:
    await disconnect(connection, row.subject, UNUSED, actor=SYSTEM, data_plane=data_plane, journal=journal, now=now)
    await connection.execute(END, (now, row.subject))
    await sandbox.end(connection, row.subject)
    await note(
        connection, row.vendor_id, VendorStep.SANDBOX_ENDED, person=None, journal=journal, now=now, about=row.name
    )


async def _warn(  # noqa: PLR0917  one call
    connection: Connection, mail: Mail, journal: Journal, row: Row, ends: datetime, now: datetime
) -> None:
    await connection.execute(WARN, (now, row.subject))
    await note(
        connection, row.vendor_id, VendorStep.SANDBOX_WARNED, person=None, journal=journal, now=now, about=row.name
    )
    address = await _address(connection, row.vendor_id)
    if address is None:
        return
    words = {"name": row.name, "vendor": row.vendor_name}
    french = GREETING.format(text=TEXT_FR.format(day=written_day(ends.date(), "fr"), **words))
    english = GREETING_EN.format(text=TEXT_EN.format(day=written_day(ends.date(), "en"), **words))
    await mail.send(connection, address, SUBJECT.format(**words), f"{french}\n{english}")


async def _address(connection: Connection, vendor_id: UUID) -> str | None:
    row = await (await connection.execute(ADDRESS, (vendor_id,))).fetchone()
    return row.contact_email if row else None
