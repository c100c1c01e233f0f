"""Apps approved before there were agreements: they have no end until a reviewer or an operator gives them one.

From then on all goes as with an agreement: warnings, out of the list on the day, gone a month later; and the vendor who
asks for a renewal gets an agreement.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from app_catalog.applications.submission import Step
from app_catalog.catalogue.change import WATCHERS, add_step, event_of_app, locked_app
from app_catalog.catalogue.status import Status
from app_catalog.catalogue.vendor_letter import Letter, tell_vendor
from app_catalog.errors import Fault, NotAllowed, Unacceptable, WrongState
from app_catalog.events import EventName
from app_catalog.reports.words import checked_text
from app_catalog.review.agreement import LONGEST, agreement_of
from app_catalog.wiring import Connection, Journal, Mail, Person, Row

SOONEST: Final = timedelta(days=90)  # the first warning of every agreement: nobody is surprised

# In service, and without an agreement on the version in force; those without any end first.
WITHOUT: Final = """SELECT a.id, v.name, n.name AS vendor_name, a.status, e.ends_on, e.reason, e.given_by_name,
    e.given_at
  FROM catalogue.app a JOIN catalogue.application v ON v.id = a.application_id
  JOIN catalogue.vendor n ON n.id = a.vendor_id
  LEFT JOIN LATERAL (SELECT * FROM catalogue.given_end g WHERE g.app_id = a.id ORDER BY g.id DESC LIMIT 1) e ON true
  WHERE a.status IN ('PRE_SERIES', 'ONLINE', 'OFFLINE', 'SUSPENDED') AND NOT EXISTS (SELECT FROM catalogue.agreement g
    WHERE g.application_id = a.application_id AND g.accepted_at IS NOT NULL)
  ORDER BY e.ends_on NULLS FIRST, lower(v.name), a.id LIMIT 200"""
NEWEST: Final = """SELECT ends_on, reason, given_by_name, given_at FROM catalogue.given_end WHERE app_id = %s
  ORDER BY id DESC LIMIT 1"""
GIVE: Final = """INSERT INTO catalogue.given_end (app_id, ends_on, reason, given_by, given_by_name, given_at)
  VALUES (%s, %s, %s, %s, %s, %s)"""

GIVEN: Final = Letter(
    "{app} : une convention est nécessaire avant le {day}",
    "{app}: an agreement is needed by {day}",
    "{app} a été approuvée sans convention. Elle quitte la liste le {day}, et le catalogue 30 jours plus tard, sauf si "
    "une convention est conclue d’ici là.\n\nMotif : {reason}\n\nUn propriétaire de votre organisation peut la "
    "demander dans les 180 derniers jours, sur la page de l’application dans votre compte.",
    "{app} was approved without an agreement. It leaves the list on {day}, and the catalogue 30 days later, unless an "
    "agreement is made by then.\n\nReason: {reason}\n\nAn owner of your organisation can ask for it in the last 180 "
    "days, on the app’s page in your account.",
)


@dataclass(frozen=True)
class GivenEnd:
    """ends_on: the first day without"""

    ends_on: date
    reason: str
    given_by_name: str
    given_at: datetime


async def apps_without_agreement(connection: Connection) -> list[Row]:
    """`id`, `name`, `vendor_name`, `status`, and the end that they were given, as far as they were."""
    return await (await connection.execute(WITHOUT)).fetchall()


async def given_end_of(connection: Connection, app_id: UUID) -> GivenEnd | None:
    """The end that an app was given; it counts as long as there is no agreement."""
    row = await (await connection.execute(NEWEST, (app_id,))).fetchone()
    return GivenEnd(*row) if row is not None else None


async def give_end(
    connection: Connection,
    app_id: UUID,
    ends_on: date,
    *,
    text: str,
    person: Person,
    journal: Journal,
    mail: Mail,
    now: datetime,
) -> None:
    """Have an app without an agreement end on a day, with a reason that its vendor reads. Another day may follow.

    Raises Unknown, NotAllowed, WrongState where there is an agreement, or Unacceptable.
    """
    text = checked_text("/text", text, 1000)
    if person.kind not in WATCHERS:
        raise NotAllowed
    if not SOONEST <= ends_on - now.date() <= LONGEST:
        raise Unacceptable(Fault("/ends_on", "Give a day between 90 days and three years from now."))
    async with connection.transaction():
        app = await locked_app(connection, app_id, person)
        if app.status in {Status.CANDIDATE, Status.DEREFERENCED} or await agreement_of(connection, app_id) is not None:
            raise WrongState("This app has an agreement, or is not in service.")
        await connection.execute(GIVE, (app_id, ends_on, text, person.id, person.display_name, now))
        await add_step(
            connection, app, Step.END_GIVEN, app.status, application_id=app.application_id, actor=person, reason=text,
            now=now,
        )  # fmt: skip
        details = {"ends_on": ends_on.isoformat()}
        await journal.write(connection, event_of_app(EventName.END_GIVEN, person, app, text, details))
        await tell_vendor(connection, mail, app, GIVEN, reason=text, day=ends_on)
