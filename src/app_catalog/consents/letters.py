"""What patients are written to about their apps. Whether and how a letter reaches them is the host's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from app_catalog.actor import SYSTEM
from app_catalog.catalogue.apps import app_by_id
from app_catalog.consents.connected import ConnectedApp, connected_apps
from app_catalog.consents.period import last_day
from app_catalog.consents.setback import Work, alone
from app_catalog.events import EventName
from app_catalog.space import space
from app_catalog.wiring import CatalogueEvent, Connection, Journal, PatientLetter, Patients

LIST_EVERY: Final = timedelta(days=90)  # the national service's interval

LISTS_DUE: Final = "SELECT subject FROM catalogue.apps_lists_due(%s)"
# One statement decides who sends: a second process finds nothing to update.
TAKE_LIST: Final = """INSERT INTO catalogue.apps_list (subject, sent_at) VALUES (%(subject)s, %(now)s)
  ON CONFLICT (subject) DO UPDATE SET sent_at = excluded.sent_at, seen_at = NULL
    WHERE apps_list.sent_at <= %(before)s RETURNING 1 AS taken"""
UNSEEN: Final = "SELECT sent_at FROM catalogue.apps_list WHERE subject = %s AND seen_at IS NULL"
SEEN: Final = "UPDATE catalogue.apps_list SET seen_at = %s WHERE subject = %s AND seen_at IS NULL"

TO_TELL: Final = "SELECT subject, id FROM catalogue.reapprovals_to_tell(%s)"
TAKE_TOLD: Final = """UPDATE catalogue.reapproval SET told_at = %(now)s WHERE id = %(id)s AND told_at IS NULL
  AND answered_at IS NULL RETURNING app_id, limit_at, reason"""
TAKE_STOPPED: Final = """UPDATE catalogue.reapproval SET stopped_at = %(now)s WHERE id = %(id)s AND stopped_at IS NULL
  AND answered_at IS NULL AND limit_at <= %(now)s RETURNING app_id, limit_at"""

LINE: Final = {"fr": "– {app}, {vendor} : jusqu’au {day}", "en": "– {app}, {vendor}: until {day}"}
LIST: Final = PatientLetter(
    {"fr": "Vos applications connectées", "en": "Your connected apps"},
    {
        "fr": "Ces applications sont connectées à votre espace de santé :\n\n{apps}\n\nVous pouvez à tout moment "
        "reprendre un accord ou déconnecter une application, à la page « Mes applications » de votre espace.",
        "en": "These apps are connected with your health space:\n\n{apps}\n\nYou can take back an agreement or "
        "disconnect an app at any time, on the page “My apps” of your space.",
    },
)


@dataclass(frozen=True)
class Told:
    event: EventName
    letter: PatientLetter


ASKED: Final = Told(
    EventName.VERSION_ASKED,
    PatientLetter(
        {"fr": "{app} a changé : votre réponse est attendue", "en": "{app} has changed: please answer"},
        {
            "fr": "Une nouvelle version de {app} est en service. Ce qui n’a pas changé continue jusqu’au {day} ; ce "
            "qui est nouveau n’ouvre rien sans votre accord. Sans réponse d’ici là, son accès s’arrête.\n\nLa page "
            "« Mes applications » de votre espace montre ce qui a changé, mot à mot.",
            "en": "A new version of {app} is in service. What has not changed goes on until {day}; what is new opens "
            "nothing without your agreement. Without an answer by then, its access stops.\n\nThe page “My apps” of "
            "your space shows what has changed, word by word.",
        },
    ),
)
OF_AGE: Final = Told(
    EventName.OF_AGE_ASKED,
    PatientLetter(
        {"fr": "{app} : à vous de décider maintenant", "en": "{app}: you decide now"},
        {
            "fr": "Vous avez atteint la majorité : ce qui a été accepté pour {app} vous est demandé à nouveau. Tout "
            "continue jusqu’au {day} ; sans réponse d’ici là, son accès s’arrête.\n\nRépondez à la page « Mes "
            "applications » de votre espace.",
            "en": "You have come of age: what was agreed to for {app} is asked of you again. Everything goes on until "
            "{day}; without an answer by then, its access stops.\n\nAnswer on the page “My apps” of your space.",
        },
    ),
)
STOPPED: Final = Told(
    EventName.VERSION_UNANSWERED,
    PatientLetter(
        {"fr": "L’accès de {app} est arrêté", "en": "The access of {app} has stopped"},
        {
            "fr": "Vous n’avez pas répondu au sujet de {app} : elle ne voit plus rien. Répondez "
            "à la page « Mes applications » de votre espace pour qu’elle continue, ou déconnectez-la.",
            "en": "You have not answered about {app}: it sees nothing any more. Answer on the page "
            "“My apps” of your space for it to go on, or disconnect it.",
        },
    ),
)


async def send_lists(connection: Connection, journal: Journal, patients: Patients, now: datetime) -> int:
    """Send each patient the list of connected apps that is due, once whoever else does so. Returns how many."""
    before, sent = now - LIST_EVERY, 0
    for row in await (await connection.execute(LISTS_DUE, (before,))).fetchall():
        async with alone(connection, Work.LIST, row.subject):
            parameters = {"subject": row.subject, "now": now, "before": before}
            if await (await connection.execute(TAKE_LIST, parameters)).fetchone() is None:
                continue
            apps = await connected_apps(connection, row.subject, now)
            await patients.write(connection, row.subject, _list(apps, await patients.zone(connection, row.subject)))
            event = CatalogueEvent(
                EventName.APPS_LISTED, row.subject, SYSTEM.kind, None, SYSTEM.display_name, "apps", count=len(apps),
                details={"apps": [one.app.name for one in apps]},
            )  # fmt: skip
            await journal.write(connection, event)
            sent += 1
    return sent


async def unseen_list(connection: Connection, subject: UUID) -> datetime | None:
    """When the list was sent that the patient has not looked at yet."""
    async with space(connection, subject):
        row = await (await connection.execute(UNSEEN, (subject,))).fetchone()
    return row.sent_at if row else None


async def list_seen(connection: Connection, subject: UUID, now: datetime) -> None:
    async with space(connection, subject):
        await connection.execute(SEEN, (now, subject))


async def tell_questions(connection: Connection, journal: Journal, patients: Patients, now: datetime) -> int:
    """Tell patients, once each, that a new version of an app awaits their answer, and that it stopped without one."""
    rows = await (await connection.execute(TO_TELL, (now,))).fetchall()
    for row in rows:
        for take, tells in ((TAKE_TOLD, ASKED), (TAKE_STOPPED, STOPPED)):
            async with alone(connection, Work.QUESTION, row.subject):
                question = await (await connection.execute(take, {"now": now, "id": row.id})).fetchone()
                app = await app_by_id(connection, question.app_id) if question else None
                if question is None or app is None:
                    continue
                told = OF_AGE if tells is ASKED and question.reason == "majority" else tells
                day = last_day(question.limit_at, await patients.zone(connection, row.subject))
                letter = told.letter.filled(app=app.name, day=_written(day))
                await patients.write(connection, row.subject, letter)
                event = CatalogueEvent(
                    told.event, row.subject, SYSTEM.kind, None, SYSTEM.display_name, f"app/{app.id}",
                    details={"app": app.name, "until": day.isoformat()},
                )  # fmt: skip
                await journal.write(connection, event)
    return len(rows)


def _list(apps: Sequence[ConnectedApp], zone: str) -> PatientLetter:
    lines = {
        language: "\n".join(
            line.format(app=one.app.name, vendor=one.app.vendor_name, day=_written(last_day(one.ends_at, zone)))
            for one in apps
            if one.ends_at is not None
        )
        for language, line in LINE.items()
    }
    texts = {language: text.format(apps=lines[language]) for language, text in LIST.text.items()}
    return PatientLetter(LIST.subject, texts)


def _written(day: date) -> str:
    return f"{day:%d/%m/%Y}"
