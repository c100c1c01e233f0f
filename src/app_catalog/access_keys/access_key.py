"""Access keys: made by a person for a program of theirs, shown once, listed, ended."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from app_catalog.errors import Fault, NotAllowed, Unacceptable, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.oauth.secret_text import sha256
from app_catalog.program import Program
from app_catalog.vendors import letters
from app_catalog.vendors.role import WRITERS, Role, require
from app_catalog.vendors.step import VendorStep, note
from app_catalog.vendors.vendor import vendor_by_id
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Mail, Person, Row
from app_catalog.words import marked

OF_VENDOR: Final = "/catalogue/vendor/organisations/{vendor_id}/keys"
PREFIX: Final = "appcat_"  # with 64 hexadecimal digits behind it: what scanners for lost secrets look for
KEY_BYTES: Final = 32
YEAR: Final = timedelta(days=365)
LONGEST: Final = YEAR + timedelta(days=1)  # to the end of the last day of a year, wherever that is
USUAL: Final = timedelta(days=90)  # what is proposed
MAX_KEYS: Final = 20  # of one person in one organisation at a time: one per pipeline, and some to replace
MAX_NAME: Final = 60  # characters
LEFT: Final = marked("The member left the organisation.")
PASSWORD_CHANGED: Final = marked("The password of its maker was changed.")

_KEYS: Final = """SELECT id, person, person_name, name, writes, created_at, expires_at, last_used_at, ended_at,
    ended_by_name, end_reason FROM catalogue.access_key"""
_OWN: Final = "person = %(person)s AND vendor_id IS NOT DISTINCT FROM %(vendor)s"
_OPEN: Final = "ended_at IS NULL AND expires_at > %(now)s"
ADD: Final = """INSERT INTO catalogue.access_key (id, hash, person, kind, person_name, vendor_id, name, writes,
    created_at, expires_at)
  VALUES (%(id)s, %(hash)s, %(person)s, %(kind)s, %(person_name)s, %(vendor)s, %(name)s, %(writes)s, %(now)s,
    %(expires_at)s)"""
LOCK_PERSON: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%(person)s::text, 0))"
OPEN_KEYS: Final = f"SELECT count(*) AS n FROM catalogue.access_key WHERE {_OWN} AND {_OPEN}"
KEYS_OF_VENDOR: Final = f"{_KEYS} WHERE vendor_id = %(vendor)s ORDER BY created_at DESC, id LIMIT 200"
KEYS_OF_PERSON: Final = f"{_KEYS} WHERE {_OWN} ORDER BY created_at DESC, id LIMIT 200"
KEY: Final = "SELECT id, person, vendor_id, name FROM catalogue.access_key WHERE id = %s"
_END: Final = """UPDATE catalogue.access_key SET ended_at = %(now)s, ended_by_name = %(by)s, end_reason = %(reason)s"""
END: Final = f"{_END} WHERE id = %(id)s AND ended_at IS NULL"
END_OF_MEMBER: Final = f"{_END} WHERE {_OWN} AND {_OPEN} RETURNING name"
END_OF_PERSON: Final = f"{_END} WHERE person = %(person)s AND {_OPEN} RETURNING vendor_id, name"


@dataclass(frozen=True)
class AccessKey:
    """What may be said of a key once it was shown. `last_used_at` is right to the hour."""

    id: UUID
    person: UUID
    person_name: str
    name: str
    writes: bool
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    ended_at: datetime | None
    ended_by_name: str | None
    end_reason: str | None

    def works(self, now: datetime) -> bool:
        return self.ended_at is None and self.expires_at > now


async def make_key(
    connection: Connection,
    vendor_id: UUID | None,
    *,
    name: str,
    writes: bool,
    expires_at: datetime,
    person: Person,
    mail: Mail,
    issuer: str,
    journal: Journal,
    now: datetime,
) -> str:
    """A new key of `person`, which is in the answer only: for one organisation, or for a reviewer (None, to read). The
    organisation is told by mail: a key outlives the session in which somebody made it.

    Raises NotAllowed, Unacceptable, or WrongState for who has as many as one may.
    """
    if isinstance(person, Program):
        raise NotAllowed  # or a stolen key would outlive its end
    name = name.strip()
    text = PREFIX + secrets.token_hex(KEY_BYTES)
    values = {
        "id": uuid4(), "hash": sha256(text), "person": person.id, "kind": person.kind, "vendor": vendor_id,
        "person_name": person.display_name, "name": name, "writes": writes, "now": now, "expires_at": expires_at,
    }  # fmt: skip
    async with connection.transaction():
        await _may_have(connection, vendor_id, person, writes=writes)
        if faults := _faults(name, expires_at, now):
            raise Unacceptable(*faults)
        await connection.execute(LOCK_PERSON, values)
        [row] = await (await connection.execute(OPEN_KEYS, values)).fetchall()
        if row.n >= MAX_KEYS:
            raise WrongState("Twenty access keys at a time are the most: end one first.")
        await connection.execute(ADD, values)
        await _noted(connection, vendor_id, EventName.ACCESS_KEY_MADE, name, person=person, journal=journal, now=now)
        vendor = await vendor_by_id(connection, vendor_id) if vendor_id is not None else None
        if vendor is not None and vendor.contact_verified_at is not None:
            link = issuer + OF_VENDOR.format(vendor_id=vendor_id)
            letter = letters.access_key(vendor.name, person.display_name, name, link, expires_at, writes=writes)
            await mail.send(connection, vendor.contact_email, *letter)
    return text


async def keys_shown_to(connection: Connection, vendor_id: UUID | None, person: Person) -> list[AccessKey]:
    """One's own keys; to an owner those of the whole organisation. The newest first. Raises NotAllowed."""
    query = KEYS_OF_PERSON
    if vendor_id is not None and await require(connection, vendor_id, person) is Role.OWNER:
        query = KEYS_OF_VENDOR
    rows = await (await connection.execute(query, {"person": person.id, "vendor": vendor_id})).fetchall()
    return [AccessKey(*row) for row in rows]


async def end_key(
    connection: Connection,
    vendor_id: UUID | None,
    key_id: UUID,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
) -> None:
    """Its maker ends a key, or an owner anybody's in the organisation. Raises NotAllowed, Unknown or WrongState."""
    async with connection.transaction():
        role = await require(connection, vendor_id, person) if vendor_id is not None else None
        row: Row = await (await connection.execute(KEY, (key_id,))).fetchone()
        if row is None or row.vendor_id != vendor_id or (row.person != person.id and role is not Role.OWNER):
            raise Unknown
        values = {"id": key_id, "now": now, "by": person.display_name, "reason": None}
        if (await connection.execute(END, values)).rowcount != 1:
            raise WrongState("This access key has ended.")
        await _noted(
            connection, vendor_id, EventName.ACCESS_KEY_ENDED, row.name, person=person, journal=journal, now=now
        )


async def end_keys_of_member(
    connection: Connection, vendor_id: UUID, member: UUID, *, person: Person, journal: Journal, now: datetime
) -> None:
    """With a membership: in the transaction of `person`, who ends it."""
    values = {"person": member, "vendor": vendor_id, "now": now, "by": person.display_name, "reason": LEFT}
    for row in await (await connection.execute(END_OF_MEMBER, values)).fetchall():
        await note(
            connection, vendor_id, VendorStep.ACCESS_KEY_ENDED, person=person, journal=journal, now=now, about=row.name
        )


async def end_keys_of_person(connection: Connection, person: Person, journal: Journal, now: datetime) -> int:
    """All that `person` made, everywhere, with a password that is changed, in that transaction. Returns how many."""
    values = {"person": person.id, "now": now, "by": None, "reason": PASSWORD_CHANGED}
    rows = await (await connection.execute(END_OF_PERSON, values)).fetchall()
    for row in rows:
        await _noted(
            connection, row.vendor_id, EventName.ACCESS_KEY_ENDED, row.name, person=person, journal=journal, now=now
        )
    return len(rows)


async def _may_have(connection: Connection, vendor_id: UUID | None, person: Person, *, writes: bool) -> None:
    if vendor_id is not None:
        await require(connection, vendor_id, person, *(WRITERS if writes else ()))
    elif person.kind != "reviewer" or writes:
        raise NotAllowed


def _faults(name: str, expires_at: datetime, now: datetime) -> list[Fault]:
    faults = []
    if not name or len(name) > MAX_NAME or not name.isprintable():
        faults.append(Fault("/name", "This is needed: 60 printable characters at most."))
    if not now < expires_at <= now + LONGEST:
        faults.append(Fault("/ends_on", "Give a day within a year."))
    return faults


async def _noted(
    connection: Connection,
    vendor_id: UUID | None,
    name: EventName,
    key_name: str,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
) -> None:
    if vendor_id is not None:
        await note(
            connection, vendor_id, VendorStep(name.value), person=person, journal=journal, now=now, about=key_name
        )
        return
    event = CatalogueEvent(
        name, None, person.kind, person.id, person.display_name, f"reviewer/{person.id}", details={"about": key_name}
    )
    await journal.write(connection, event)
