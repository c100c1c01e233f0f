"""Corrections that an audit demands: their vendor is reminded before the limit and once it has passed."""

from datetime import date, datetime, timedelta
from typing import Final

from app_catalog.actor import SYSTEM
from app_catalog.catalogue.apps import app_by_id
from app_catalog.catalogue.change import LOCK_APP, event_of_app
from app_catalog.catalogue.vendor_letter import Letter, tell_vendor
from app_catalog.events import EventName
from app_catalog.reports.audit import AuditStep, add_audit_step
from app_catalog.wiring import Connection, Journal, Mail

BEFORE: Final = (7, 1)  # days before the limit: a week to do it in, and a last word
PASSED: Final = -1

DUE: Final = """SELECT d.id, d.app_id FROM catalogue.audit d
  WHERE d.state = 'corrective' AND d.due_on <= %s ORDER BY d.due_on, d.id"""
# With what was demanded last, and when.
DEMAND: Final = """SELECT d.due_on, s.text, s.at FROM catalogue.audit d JOIN catalogue.audit_step s ON s.audit_id = d.id
  WHERE d.id = %s AND d.state = 'corrective' AND s.outcome = 'corrective' ORDER BY s.id DESC LIMIT 1"""
REMINDED: Final = """SELECT 1 AS sent FROM catalogue.correction_reminder
  WHERE audit_id = %s AND due_on = %s AND days = %s"""
NOTE: Final = """INSERT INTO catalogue.correction_reminder (audit_id, due_on, days, sent_at, told)
  VALUES (%s, %s, %s, %s, %s)"""

COMING: Final = Letter(
    "{app} : à corriger avant le {day}",
    "{app}: to be corrected by {day}",
    "Rappel : dans {days} jour(s) ou moins, le {day}, se termine le délai pour corriger ceci :\n\n{reason}\n\n"
    "Dites sur la page de l’application dans votre compte ce qui a été fait.",
    "A reminder: in {days} day(s) or less, on {day}, the time ends in which to correct this:\n\n{reason}\n\n"
    "Say on the app’s page in your account what was done.",
)
OVERDUE: Final = Letter(
    "{app} : le délai de correction est dépassé",
    "{app}: the correction is overdue",
    "Depuis le {day}, le délai est dépassé pour corriger ceci :\n\n{reason}\n\nDites sans tarder sur la page de "
    "l’application dans votre compte ce qui a été fait. Les évaluateurs peuvent suspendre l’application.",
    "The time ended on {day} in which to correct this:\n\n{reason}\n\nSay on the app’s page in your account without "
    "delay what was done. The reviewers may suspend the app.",
)


async def remind_of_corrections(connection: Connection, mail: Mail, journal: Journal, now: datetime) -> int:
    """Send the reminders that are due at `now`, each once, whoever else does so; returns how many."""
    rows = await (await connection.execute(DUE, (now.date() + timedelta(days=max(BEFORE)),))).fetchall()
    sent = 0
    for row in rows:
        async with connection.transaction():
            await connection.execute(LOCK_APP, (row.app_id,))
            app = await app_by_id(connection, row.app_id)
            demand = await (await connection.execute(DEMAND, (row.id,))).fetchone()
            days = reminder_due(demand.due_on, demand.at.date(), now.date()) if demand is not None else None
            if app is None or demand is None or days is None:
                continue
            if await (await connection.execute(REMINDED, (row.id, demand.due_on, days))).fetchone() is not None:
                continue
            letter = OVERDUE if days == PASSED else COMING
            told = await tell_vendor(connection, mail, app, letter, reason=demand.text, day=demand.due_on, days=days)
            await connection.execute(NOTE, (row.id, demand.due_on, days, now, told))
            await add_audit_step(connection, row.id, AuditStep.REMINDED, SYSTEM, "", now)
            details = {"due_on": demand.due_on.isoformat(), "told": "yes" if told else "no"}
            await journal.write(connection, event_of_app(EventName.CORRECTION_REMINDED, SYSTEM, app, None, details))
            sent += 1
    return sent


def reminder_due(due_on: date, demanded_on: date, today: date) -> int | None:
    """Which one: days before the limit, `PASSED` after it, None for none yet. One whose day had come when the
    correction was demanded is not sent: that letter said it."""
    left = (due_on - today).days
    if left < 0:
        return PASSED
    return min((days for days in BEFORE if left <= days and demanded_on < due_on - timedelta(days=days)), default=None)
