"""The agreement between catalogue and vendor on one version of an app: for how long, which data, and how it ends.

A reviewer offers it, an owner of the vendor accepts it word for word, and without it no version comes into force.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from app_catalog.applications.submission import Step
from app_catalog.errors import Fault, NotAllowed, Unacceptable, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.review.agreement_text import TEXT_VERSION, agreement_text
from app_catalog.review.dossier import REVIEWERS, Dossier, dossier_of, opened, written_down
from app_catalog.review.evaluation import Recommendation, purposes_of
from app_catalog.review.letters import AGREEMENT, tell
from app_catalog.review.opinion import opinion_of
from app_catalog.vendors.role import Role, require
from app_catalog.wiring import Connection, DataPlane, Journal, Mail, Person, Row, Texts
from app_catalog.words import marked

OFFER = """INSERT INTO catalogue.agreement (id, app_id, application_id, starts_on, ends_on, text_version, text,
    offered_by, offered_by_name, offered_at, accepted_by, accepted_by_name, accepted_at)
  VALUES (%(id)s, %(app)s, %(application)s, %(starts_on)s, %(ends_on)s, %(text_version)s, %(text)s, %(by)s, %(name)s,
    %(now)s, %(accepted_by)s, %(accepted_by_name)s, %(accepted_at)s)"""
ACCEPT = """UPDATE catalogue.agreement SET accepted_by = %s, accepted_by_name = %s, accepted_at = %s
  WHERE id = %s AND accepted_at IS NULL"""
APPLICATION_OF = "SELECT application_id FROM catalogue.agreement WHERE id = %s"
VERSION_IN_FORCE = "SELECT application_id FROM catalogue.app WHERE id = %s"
_AGREEMENTS = """SELECT g.id, g.app_id, g.application_id, g.starts_on, g.ends_on, g.text_version, g.text,
    g.offered_by_name, g.offered_at, g.accepted_by_name, g.accepted_at FROM catalogue.agreement g"""
NEWEST = f"{_AGREEMENTS} WHERE g.application_id = %s ORDER BY g.offered_at DESC, g.ends_on DESC LIMIT 1"
IN_FORCE = f"""{_AGREEMENTS} JOIN catalogue.app a ON a.id = g.app_id AND a.application_id = g.application_id
  WHERE g.app_id = %s AND g.accepted_at IS NOT NULL ORDER BY g.offered_at DESC, g.ends_on DESC LIMIT 1"""

LONGEST: Final = timedelta(
    days=3 * 366
)  # then the app is looked at again; the French arrêté leaves it to the agreement
USUAL: Final = timedelta(days=2 * 365)  # what the form proposes
NONE_ACCEPTED = marked("The vendor has not accepted an agreement.")


@dataclass(frozen=True)
class Agreement:
    """`text` is what both sides read, in each language; `accepted_at` is None while it is only offered."""

    id: UUID
    app_id: UUID
    application_id: UUID
    starts_on: date
    ends_on: date
    text_version: str
    text: Texts
    offered_by_name: str
    offered_at: datetime
    accepted_by_name: str | None
    accepted_at: datetime | None

    def covers(self, day: date) -> bool:
        return self.accepted_at is not None and self.starts_on <= day < self.ends_on


async def offer_agreement(
    connection: Connection,
    application_id: UUID,
    *,
    starts_on: date,
    ends_on: date,
    person: Person,
    journal: Journal,
    data_plane: DataPlane,
    now: datetime,
    mail: Mail | None = None,
) -> UUID:
    """Offer the vendor an agreement on this version; returns its id. A newer offer replaces one not accepted.

    Raises Unknown, NotAllowed, WrongState without an opinion that lets the app in, or Unacceptable for its dates.
    """
    _check_days(starts_on, ends_on)
    async with connection.transaction():
        dossier = await opened(connection, application_id, person)
        opinion = await opinion_of(connection, dossier.id)
        if opinion is None or opinion.verdict is Recommendation.UNFAVOURABLE:
            raise WrongState("There is no opinion that lets the app in.")
        text = agreement_text(
            dossier, await purposes_of(connection, dossier.id), data_plane, starts_on=starts_on, ends_on=ends_on
        )
        agreement_id = await _add(connection, dossier, starts_on, ends_on, text, person=person, now=now)
        await written_down(
            connection, dossier, Step.OFFERED, EventName.AGREEMENT_OFFERED, person=person, journal=journal, now=now,
            ends_on=ends_on.isoformat(), text_version=TEXT_VERSION,
        )  # fmt: skip
        await tell(connection, mail, dossier, AGREEMENT, text=f"{starts_on.isoformat()} – {ends_on.isoformat()}")
    return agreement_id


async def accept_agreement(
    connection: Connection, agreement_id: UUID, *, person: Person, journal: Journal, now: datetime
) -> None:
    """An owner of the vendor agrees. Raises Unknown, NotAllowed, or WrongState for a former or accepted one."""
    async with connection.transaction():
        row = await (await connection.execute(APPLICATION_OF, (agreement_id,))).fetchone()
        if row is None:
            raise Unknown
        dossier = await dossier_of(connection, row.application_id, lock=True)
        await require(connection, dossier.vendor_id, person, Role.OWNER)
        newest = await newest_agreement(connection, dossier.id)
        if newest is None or newest.id != agreement_id or not dossier.is_undecided:
            raise WrongState("This agreement is not on offer any more.")
        if (await connection.execute(ACCEPT, (person.id, person.display_name, now, agreement_id))).rowcount != 1:
            raise WrongState("This agreement was accepted.")
        await written_down(
            connection, dossier, Step.ACCEPTED, EventName.AGREEMENT_ACCEPTED, person=person, journal=journal, now=now,
            text_version=newest.text_version,
        )  # fmt: skip


async def extend_agreement(
    connection: Connection,
    app_id: UUID,
    *,
    ends_on: date,
    person: Person,
    reason: str,
    journal: Journal,
    data_plane: DataPlane,
    now: datetime,
    accepted_by: UUID,
    accepted_by_name: str,
    accepted_at: datetime,
) -> None:
    """Lengthen the agreement of the app in force by another one, whose vendor asked for it and so accepted it; an app
    that has none gets its first.

    Raises Unknown, NotAllowed, WrongState for an app that is not in force, or Unacceptable for its dates.
    """
    if person.kind not in REVIEWERS:
        raise NotAllowed
    async with connection.transaction():
        row = await (await connection.execute(VERSION_IN_FORCE, (app_id,))).fetchone()
        if row is None or row.application_id is None:
            raise WrongState(NONE_ACCEPTED)
        former = await agreement_of(connection, app_id)
        dossier = await dossier_of(connection, row.application_id, lock=True)
        starts_on = min(now.date(), former.ends_on) if former is not None else now.date()
        _check_days(starts_on, ends_on)
        if former is not None and ends_on <= former.ends_on:
            raise Unacceptable(Fault("/ends_on", "The new end is after the present one."))
        text = agreement_text(
            dossier, await purposes_of(connection, dossier.id), data_plane, starts_on=starts_on, ends_on=ends_on
        )
        await _add(
            connection, dossier, starts_on, ends_on, text, person=person, now=now,
            accepted=(accepted_by, accepted_by_name, accepted_at),
        )  # fmt: skip
        await written_down(
            connection, dossier, Step.EXTENDED, EventName.AGREEMENT_EXTENDED, person=person, journal=journal, now=now,
            reason=reason, ends_on=ends_on.isoformat(),
        )  # fmt: skip


async def agreement_of(connection: Connection, app_id: UUID) -> Agreement | None:
    """The agreement on the version of the app that is in force; None for one that has none."""
    return _agreement(await (await connection.execute(IN_FORCE, (app_id,))).fetchone())


async def newest_agreement(connection: Connection, application_id: UUID) -> Agreement | None:
    """The one that was offered last on this version, accepted or not."""
    return _agreement(await (await connection.execute(NEWEST, (application_id,))).fetchone())


async def _add(
    connection: Connection,
    dossier: Dossier,
    starts_on: date,
    ends_on: date,
    text: Texts,
    *,
    person: Person,
    now: datetime,
    accepted: tuple[UUID, str, datetime] | tuple[None, None, None] = (None, None, None),
) -> UUID:
    values: dict[str, Any] = {
        "id": uuid4(), "app": dossier.app_id, "application": dossier.id, "starts_on": starts_on, "ends_on": ends_on,
        "text_version": TEXT_VERSION, "text": json.dumps(text), "by": person.id, "name": person.display_name,
        "now": now, "accepted_by": accepted[0], "accepted_by_name": accepted[1], "accepted_at": accepted[2],
    }  # fmt: skip
    await connection.execute(OFFER, values)
    return UUID(str(values["id"]))


def _check_days(starts_on: date, ends_on: date) -> None:
    if not starts_on < ends_on <= starts_on + LONGEST:
        raise Unacceptable(Fault("/ends_on", "An agreement ends after it begins, and within three years."))


def _agreement(row: Row | None) -> Agreement | None:
    return Agreement(*row) if row is not None else None
