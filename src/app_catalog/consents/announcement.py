"""What connected patients are told when their app moves: written in the journal, and in a letter.

A move writes a row per patient, in one statement; each is told in a transaction of its own, by `jobs`, and once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from app_catalog.actor import System
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.causes import Cause
from app_catalog.catalogue.status import Status
from app_catalog.catalogue.written_day import written_days
from app_catalog.consents.pairing import locked_pairing
from app_catalog.consents.revocation import DEREFERENCED, end_pairing
from app_catalog.consents.setback import Work, alone
from app_catalog.events import EventName
from app_catalog.wiring import CatalogueEvent, Connection, DataPlane, Journal, PatientLetter, Patients, Row

BATCH: Final = 200  # told before the next look at what else is due

ANNOUNCE: Final = "SELECT catalogue.announce(%s)"
DUE: Final = "SELECT subject, step_id FROM catalogue.announcements_due(%s)"
TAKE: Final = """UPDATE catalogue.announcement SET told_at = %s WHERE step_id = %s AND subject = %s AND told_at IS NULL
  RETURNING 1 AS taken"""
MOVE: Final = "SELECT id, app_id, from_status, to_status, cause, actor, at FROM catalogue.app_step WHERE id = %s"

# Who of the reviewers decided is not for patients: it is the operator of the catalogue who does, or nobody but a date.
OPERATOR: Final = System(kind="operator")
BY_DATE: Final = System()

CAUSES: Final[Mapping[Cause, tuple[str, str]]] = {
    Cause.CHECK: (
        "Elle est en cours de contrôle, par exemple parce que des patients ont signalé quelque chose.",
        Cause.CHECK.label,
    ),
    Cause.SECURITY: ("Une faiblesse a été trouvée dans sa sécurité.", Cause.SECURITY.label),
    Cause.DATA: ("Elle a traité des données autrement qu’elle ne l’avait annoncé.", Cause.DATA.label),
    Cause.FAULT: ("Elle ne fonctionne pas comme elle le devrait.", Cause.FAULT.label),
    Cause.AGREEMENT: ("Sa convention est terminée.", Cause.AGREEMENT.label),
    Cause.VENDOR: ("Son éditeur l’a demandé.", Cause.VENDOR.label),
    Cause.SETTLED: ("Ce qui avait été constaté est réglé.", Cause.SETTLED.label),
}  # fmt: skip
"""The labels in French and English: a letter is written before its language is known."""


@dataclass(frozen=True)
class News:
    """What a move means to whoever is connected. A removal is journalled as the end of the connection that it is."""

    event: EventName | None
    letter: PatientLetter


SUSPENDED: Final = News(
    EventName.APP_STOPPED,
    PatientLetter(
        {"fr": "{app} est suspendue", "en": "{app} is suspended"},
        {
            "fr": "Depuis le {day}, {app} est suspendue par l’opérateur du catalogue : elle ne lit et n’écrit rien "
            "jusqu’à son retour.{why}\n\nVous n’avez rien à faire. Si vous préférez, vous pouvez la déconnecter à la "
            "page « Mes applications » de votre espace.",
            "en": "Since {day}, {app} is suspended by the operator of the catalogue: it reads and writes nothing until "
            "it is back.{why}\n\nThere is nothing that you have to do. If you like, you can disconnect it on the page "
            "“My apps” of your space.",
        },
    ),
)
RESUMED: Final = News(
    EventName.APP_RESUMED,
    PatientLetter(
        {"fr": "{app} est de retour", "en": "{app} is back"},
        {
            "fr": "Depuis le {day}, {app} n’est plus suspendue : ce que vous aviez accepté vaut à nouveau.{why}\n\n"
            "Vous pouvez à tout moment la déconnecter à la page « Mes applications » de votre espace.",
            "en": "Since {day}, {app} is no longer suspended: what you had agreed to holds again.{why}\n\nYou can "
            "disconnect it at any time on the page “My apps” of your space.",
        },
    ),
)
UNLISTED: Final = News(
    EventName.APP_UNLISTED,
    PatientLetter(
        {"fr": "{app} n’est plus dans la liste", "en": "{app} has left the list"},
        {
            "fr": "Depuis le {day}, {app} n’est plus dans la liste du catalogue, par décision de son opérateur.{why}"
            "\n\nPour vous, elle continue comme avant. Vous pouvez la déconnecter à la page « Mes applications » de "
            "votre espace.",
            "en": "Since {day}, {app} is not in the list of the catalogue any more, by decision of its operator.{why}"
            "\n\nFor you it goes on as before. You can disconnect it on the page “My apps” of your space.",
        },
    ),
)
RELISTED: Final = News(
    EventName.APP_RELISTED,
    PatientLetter(
        {"fr": "{app} est de nouveau dans la liste", "en": "{app} is in the list again"},
        {
            "fr": "Depuis le {day}, {app} est de nouveau dans la liste du catalogue.{why}\n\nPour vous, rien ne "
            "change.",
            "en": "Since {day}, {app} is in the list of the catalogue again.{why}\n\nNothing changes for you.",
        },
    ),
)
REMOVED: Final = News(
    None,
    PatientLetter(
        {"fr": "{app} a quitté le catalogue", "en": "{app} has left the catalogue"},
        {
            "fr": "Le {day}, l’opérateur du catalogue en a retiré {app} : elle est déconnectée de votre espace et n’y "
            "lit et n’y écrit plus rien.{why}\n\nCe qu’elle a lu auparavant est chez son éditeur : adressez-vous à "
            "lui pour le faire effacer.",
            "en": "On {day}, the operator removed {app} from the catalogue: it is disconnected from your space, and "
            "reads and writes nothing there any more.{why}\n\nWhat it had read before is with its maker: ask there "
            "to have it erased.",
        },
    ),
)


def news_of(before: Status, after: Status) -> News | None:
    """What a patient who is connected should know of a move; None where nothing changes for them."""
    if after is Status.DEREFERENCED:
        return REMOVED
    if after is Status.SUSPENDED:
        return SUSPENDED
    if before is Status.SUSPENDED:
        return RESUMED
    if after is Status.OFFLINE:
        return UNLISTED
    return RELISTED if before is Status.OFFLINE else None


async def announce(connection: Connection, step_id: int, before: Status, after: Status) -> None:
    """Have every connected patient told of a step, in the transaction that takes it."""
    if news_of(before, after) is not None:
        await connection.execute(ANNOUNCE, (step_id,))


async def tell_moves(
    connection: Connection,
    journal: Journal,
    data_plane: DataPlane,
    patients: Patients,
    now: datetime,
    *,
    batch: int = BATCH,
) -> int:
    """Tell `batch` patients what they were not told yet, and disconnect them from what was removed. Returns how many
    were tried; any number of processes may do so at once."""
    rows = await (await connection.execute(DUE, (batch,))).fetchall()
    steps: dict[int, tuple[Row, App]] = {}
    for row in rows:
        if row.step_id not in steps:
            steps[row.step_id] = await _step(connection, row.step_id)
        step, app = steps[row.step_id]
        async with alone(connection, Work.ANNOUNCEMENT, row.subject):
            if await (await connection.execute(TAKE, (now, step.id, row.subject))).fetchone() is not None:
                await _tell(connection, row.subject, step, app, journal, data_plane, patients, now=now)
    return len(rows)


async def _tell(  # noqa: PLR0917  one call
    connection: Connection,
    subject: UUID,
    step: Row,
    app: App,
    journal: Journal,
    data_plane: DataPlane,
    patients: Patients,
    *,
    now: datetime,
) -> None:
    news = news_of(Status(step.from_status), Status(step.to_status))
    if news is None:
        return
    actor = OPERATOR if step.actor is not None else BY_DATE
    details = {"since": step.at.isoformat()} | ({"cause": step.cause} if step.cause else {})
    if news.event is not None:
        event = CatalogueEvent(
            news.event, subject, actor.kind, None, "", f"app/{app.id}", details={"app": app.name, **details}
        )
        await journal.write(connection, event)
    elif await locked_pairing(connection, app.id, subject) is not None:
        await end_pairing(
            connection, subject, app, DEREFERENCED, actor=actor, journal=journal, data_plane=data_plane, now=now,
            details=details,
        )  # fmt: skip
    day = step.at.astimezone(ZoneInfo(await patients.zone(connection, subject))).date()
    fr, en = (f" {words}" for words in CAUSES[Cause(step.cause)]) if step.cause else ("", "")
    letter = news.letter.filled(app=app.name, day=written_days(day), why={"fr": fr, "en": en})
    await patients.write(connection, subject, letter)


async def _step(connection: Connection, step_id: int) -> tuple[Row, App]:
    """The move, and the app as it is called now."""
    [step] = await (await connection.execute(MOVE, (step_id,))).fetchall()
    app = await app_by_id(connection, step.app_id)
    if app is None:
        raise LookupError(step_id)
    return step, app
