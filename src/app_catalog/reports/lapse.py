"""The end of an agreement: warnings before, out of the list at the end, gone after a grace."""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from app_catalog.actor import SYSTEM
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.causes import Cause
from app_catalog.catalogue.change import LOCK_APP, event_of_app, move
from app_catalog.catalogue.status import Status
from app_catalog.catalogue.vendor_letter import Letter, tell_vendor
from app_catalog.events import EventName
from app_catalog.wiring import Connection, Journal, Mail

WARNINGS: Final = (90, 30, 7)  # days before: time for a renewal, then two reminders
GRACE: Final = timedelta(days=30)  # out of the list, but patients stay connected: time for a renewal that came late
ENDED: Final = "The agreement has ended."
GONE: Final = "The agreement ended 30 days ago and was not renewed."
BACK: Final = "The agreement was renewed."

# The end that was agreed on for the version in force, or the one that an app without an agreement was given. It is the
# first day without.
_END: Final = """SELECT coalesce(
      (SELECT max(ends_on) FROM catalogue.agreement
        WHERE application_id = a.application_id AND accepted_at IS NOT NULL),
      (SELECT ends_on FROM catalogue.given_end WHERE app_id = a.id ORDER BY id DESC LIMIT 1)) AS ends_on"""
ENDS_ON: Final = f"{_END} FROM catalogue.app a WHERE a.id = %s"
# Where something may be due.
DUE: Final = f"""SELECT a.id FROM catalogue.app a CROSS JOIN LATERAL ({_END}) g
  WHERE a.status IN ('PRE_SERIES', 'ONLINE', 'OFFLINE', 'SUSPENDED') AND g.ends_on IS NOT NULL
    AND (g.ends_on <= %(soon)s OR a.status = 'OFFLINE')
  ORDER BY g.ends_on, a.id"""
# True for one sender only.
NOTE: Final = """INSERT INTO catalogue.end_warning (app_id, ends_on, days, sent_at) VALUES (%s, %s, %s, %s)
  ON CONFLICT DO NOTHING"""
# How the app came to its status, if its agreement's end brought it there.
ENDED_FROM: Final = """SELECT from_status, to_status, cause, actor FROM catalogue.app_step
  WHERE app_id = %s AND from_status IS DISTINCT FROM to_status ORDER BY id DESC LIMIT 1"""

log = structlog.get_logger(__name__)

WARNING: Final = Letter(
    "{app} : la convention se termine le {day}",
    "{app}: the agreement ends on {day}",
    "La convention de {app} se termine le {day}, dans {days} jours ou moins. Demandez son renouvellement sur la page "
    "de l’application dans votre compte ; sans renouvellement, {app} quitte ce jour-là la liste, et le catalogue "
    "30 jours plus tard.",
    "The agreement of {app} ends on {day}, in {days} days or less. Ask for its renewal on the app’s page in your "
    "account; without one, {app} leaves the list on that day, and the catalogue 30 days later.",
)


async def keep_agreements(connection: Connection, mail: Mail, journal: Journal, now: datetime) -> int:
    """Do what is due at `now`; each once, whoever else does it at the same time. Returns how much was done."""
    soon, done = now.date() + timedelta(days=max(WARNINGS)), 0
    for row in await (await connection.execute(DUE, {"soon": soon})).fetchall():
        try:
            async with connection.transaction():
                done += await _keep(connection, mail, journal, row.id, now)
        except Exception as error:  # of one app: the others go on
            if connection.closed:
                raise
            log.warning("agreement not kept", app=str(row.id), error=type(error).__name__)
    return done


async def _keep(connection: Connection, mail: Mail, journal: Journal, app_id: UUID, now: datetime) -> int:
    app = await _locked(connection, app_id)
    agreed = await (await connection.execute(ENDS_ON, (app_id,))).fetchone()
    if app is None or agreed is None or agreed.ends_on is None:
        return 0
    if now.date() >= agreed.ends_on:
        return await _end(connection, mail, journal, app, agreed.ends_on, now)
    warned = await _warn(connection, mail, journal, app, agreed.ends_on, now)
    return warned + await _bring_back(connection, mail, journal, app, now)


async def _warn(  # noqa: PLR0917  one call
    connection: Connection, mail: Mail, journal: Journal, app: App, ends_on: date, now: datetime
) -> bool:
    """The latest warning that is due, unless it was sent; an earlier one that was missed is not sent any more."""
    left = (ends_on - now.date()).days
    days = min((days for days in WARNINGS if left <= days), default=None)
    if days is None or (await connection.execute(NOTE, (app.id, ends_on, days, now))).rowcount != 1:
        return False
    await tell_vendor(connection, mail, app, WARNING, day=ends_on, days=days)
    details = {"ends_on": ends_on.isoformat(), "days": str(days)}
    await journal.write(connection, event_of_app(EventName.END_ANNOUNCED, SYSTEM, app, None, details))
    return True


async def _end(  # noqa: PLR0917  one call
    connection: Connection,
    mail: Mail,
    journal: Journal,
    app: App,
    ends_on: date,
    now: datetime,
) -> bool:
    if now.date() >= ends_on + GRACE:
        status, reason = Status.DEREFERENCED, GONE
    elif app.status in {Status.PRE_SERIES, Status.ONLINE}:
        status, reason = Status.OFFLINE, ENDED
    else:
        return False
    await move(
        connection, app, status, actor=SYSTEM, journal=journal, now=now, reason=reason, cause=Cause.AGREEMENT,
        mail=mail,
    )  # fmt: skip
    return True


async def _bring_back(connection: Connection, mail: Mail, journal: Journal, app: App, now: datetime) -> bool:
    """An app that only the end of its agreement took out of the list returns with a new one."""
    if app.status is not Status.OFFLINE:
        return False
    row = await (await connection.execute(ENDED_FROM, (app.id,))).fetchone()
    if row is None or (row.to_status, row.cause, row.actor) != (Status.OFFLINE, Cause.AGREEMENT, None):
        return False
    await move(
        connection, app, Status(row.from_status), actor=SYSTEM, journal=journal, now=now, reason=BACK,
        cause=None, mail=mail,
    )  # fmt: skip
    return True


async def _locked(connection: Connection, app_id: UUID) -> App | None:
    """The app, locked; None when another process moved it out of service meanwhile."""
    await connection.execute(LOCK_APP, (app_id,))
    app = await app_by_id(connection, app_id)
    return app if app is not None and app.status is not Status.DEREFERENCED else None
