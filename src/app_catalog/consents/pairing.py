"""Pairing ids, and the consents that hang on one. All of it runs inside `space` of the patient.

A consent is a row that is never changed but to close it: another end, or newer words, close it and add a row.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from app_catalog.catalogue.apps import App, Purpose
from app_catalog.consents.period import LONGEST
from app_catalog.consents.wording import wording
from app_catalog.wiring import Connection, DataPlane, Language

# The update locks the row: two answers for one app and one patient come one after the other.
PAIR = """INSERT INTO catalogue.pairing (id, app_id, subject, created_at, answered_at) VALUES (%s, %s, %s, %s, %s)
  ON CONFLICT (app_id, subject) DO UPDATE SET answered_at = excluded.answered_at RETURNING id"""
FIND_PAIRING = "SELECT id FROM catalogue.pairing WHERE app_id = %s AND subject = %s"
LOCK_PAIRING = f"{FIND_PAIRING} FOR UPDATE"
CURRENT_CONSENTS = (
    "SELECT purpose_id, purpose_key FROM catalogue.consent WHERE pairing_id = %s AND withdrawn_at IS NULL"
)
AGREED = """SELECT p.same_as FROM catalogue.consent c JOIN catalogue.purpose p ON p.id = c.purpose_id
    JOIN catalogue.pairing r ON r.id = c.pairing_id
  WHERE r.app_id = %s AND r.subject = %s AND c.withdrawn_at IS NULL AND c.ends_at > %s"""
CURRENT_END = """SELECT max(ends_at) AS ends_at FROM catalogue.consent
  WHERE pairing_id = %s AND withdrawn_at IS NULL AND ends_at > %s"""
GIVE = """INSERT INTO catalogue.consent (id, pairing_id, subject, purpose_id, purpose_key, shown, given_by, given_at,
    ends_at)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""
CLOSE = """UPDATE catalogue.consent SET withdrawn_by = %s, withdrawn_at = %s, closed_as = %s
  WHERE pairing_id = %s AND withdrawn_at IS NULL"""
CLOSE_SOME = f"{CLOSE} AND purpose_key = ANY(%s)"
CLOSE_OTHER_ENDS = f"{CLOSE} AND ends_at <> %s RETURNING purpose_id, purpose_key, shown"

Closing = Literal["withdrawn", "disconnected", "changed", "replaced", "ended", "removed"]


async def pair(connection: Connection, app_id: UUID, subject: UUID, now: datetime) -> UUID:
    """The pairing id of a patient and an app: random, and the same for as long as both exist."""
    rows = await (await connection.execute(PAIR, (uuid4(), app_id, subject, now, now))).fetchall()
    return UUID(str(rows[0].id))


async def locked_pairing(connection: Connection, app_id: UUID, subject: UUID) -> UUID | None:
    """The pairing id, locked until the end of the transaction; None when the two never met."""
    row = await (await connection.execute(LOCK_PAIRING, (app_id, subject))).fetchone()
    return row.id if row else None


async def consented_keys(connection: Connection, app_id: UUID, subject: UUID) -> frozenset[str]:
    """Keys of the purposes that the patient agrees to at present."""
    row = await (await connection.execute(FIND_PAIRING, (app_id, subject))).fetchone()
    return frozenset() if row is None else frozenset((await current(connection, row.id)).values())


async def agreed_keys(connection: Connection, app: App, subject: UUID, now: datetime) -> frozenset[str]:
    """Keys of those purposes of `app` that the patient agrees to word for word as they are."""
    rows = await (await connection.execute(AGREED, (app.id, subject, now))).fetchall()
    agreed = {row.same_as for row in rows}
    return frozenset(purpose.key for purpose in app.purposes if purpose.same_as in agreed)


async def current(connection: Connection, pairing_id: UUID) -> dict[UUID, str]:
    """Keys of the purposes consented to at present, by the id of the text that was agreed to."""
    rows = await (await connection.execute(CURRENT_CONSENTS, (pairing_id,))).fetchall()
    return {row.purpose_id: row.purpose_key for row in rows}


async def current_end(connection: Connection, app_id: UUID, subject: UUID, now: datetime) -> datetime | None:
    """When the last of the present consents ends; None where there is none."""
    pairing = await (await connection.execute(FIND_PAIRING, (app_id, subject))).fetchone()
    if pairing is None:
        return None
    row = await (await connection.execute(CURRENT_END, (pairing.id, now))).fetchone()
    return row.ends_at if row else None


async def give(
    connection: Connection,
    pairing_id: UUID,
    app: App,
    purposes: Iterable[Purpose],
    *,
    subject: UUID,
    person_id: UUID,
    language: Language,
    data_plane: DataPlane,
    now: datetime,
    ends_at: datetime | None = None,
) -> list[str]:
    """Consent to `purposes` with the words shown now; a consent to a former text is closed. Returns the new keys.

    ends_at  when it ends by itself, `LONGEST` from now at most and by default
    """
    known = await current(connection, pairing_id)
    new = [purpose for purpose in purposes if purpose.id not in known]
    replaced = [purpose.key for purpose in new]
    await withdraw(connection, pairing_id, replaced, person_id=person_id, now=now, closed_as="replaced")
    for purpose in new:
        shown = json.dumps(wording(app, purpose, language, data_plane).as_json(), ensure_ascii=False)
        values = (uuid4(), pairing_id, subject, purpose.id, purpose.key, shown, person_id, now, _bounded(ends_at, now))
        await connection.execute(GIVE, values)
    return replaced


async def end_all_at(
    connection: Connection, pairing_id: UUID, ends_at: datetime, *, subject: UUID, person_id: UUID, now: datetime
) -> int:
    """Give every present consent the end `ends_at`; returns how many had another one."""
    ends_at = _bounded(ends_at, now)
    parameters = (person_id, now, "changed", pairing_id, ends_at)
    rows = await (await connection.execute(CLOSE_OTHER_ENDS, parameters)).fetchall()
    for row in rows:
        shown = json.dumps(row.shown, ensure_ascii=False)
        values = (uuid4(), pairing_id, subject, row.purpose_id, row.purpose_key, shown, person_id, now, ends_at)
        await connection.execute(GIVE, values)
    return len(rows)


async def withdraw(
    connection: Connection,
    pairing_id: UUID,
    keys: list[str],
    *,
    person_id: UUID | None,
    now: datetime,
    closed_as: Closing = "withdrawn",
) -> int:
    """Close the consents to the purposes `keys`; returns how many were open."""
    return (await connection.execute(CLOSE_SOME, (person_id, now, closed_as, pairing_id, keys))).rowcount


async def withdraw_all(
    connection: Connection, pairing_id: UUID, *, person_id: UUID | None, now: datetime, closed_as: Closing
) -> int:
    """Close every consent of a pairing; returns how many were open."""
    return (await connection.execute(CLOSE, (person_id, now, closed_as, pairing_id))).rowcount


def _bounded(ends_at: datetime | None, now: datetime) -> datetime:
    latest = now + LONGEST
    return min(ends_at or latest, latest)
