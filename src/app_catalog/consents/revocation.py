"""How it ends: one transaction closes consents and grants, and with the grants every code and token issued from them.

Tokens are not touched: each check joins their grant, so that one issued at the same moment is dead as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

from app_catalog.actor import Actor
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.consents.notices import Why, note
from app_catalog.consents.pairing import Closing, current, locked_pairing, withdraw, withdraw_all
from app_catalog.errors import Unknown
from app_catalog.events import EventName
from app_catalog.space import space
from app_catalog.wiring import CatalogueEvent, Connection, DataPlane, EndedGrant, Journal, Person

REVOKE_GRANT = """UPDATE catalogue.access_grant g SET revoked_at = %(now)s, revoked_reason = %(reason)s
  FROM catalogue.pairing p
  WHERE g.id = %(grant)s AND p.id = g.pairing_id AND g.revoked_at IS NULL
  RETURNING g.id, g.pairing_id, p.app_id, g.subject"""
REVOKE_GRANTS = """UPDATE catalogue.access_grant g SET revoked_at = %(now)s, revoked_reason = %(reason)s
  FROM catalogue.pairing p
  WHERE g.pairing_id = %(pairing)s AND p.id = g.pairing_id AND g.revoked_at IS NULL
  RETURNING g.id, g.pairing_id, p.app_id, g.subject"""
GRANTS_OF_PERSON = "SELECT subject, grant_id FROM catalogue.grants_of_person(%s)"
CLOSE_QUESTION = """UPDATE catalogue.reapproval SET answered_at = %s, answered_by = %s, outcome = 'disconnected'
  WHERE pairing_id = %s AND answered_at IS NULL"""

PASSWORD_CHANGED = "The password was changed."  # noqa: S105  a reason, not a secret


@dataclass(frozen=True)
class Ending:
    """A way in which a connection ends: the words for the journal, how its consents are closed, the vendor's word."""

    event: EventName
    reason: str
    closed_as: Closing
    why: Why


UNPAIRED = Ending(EventName.APP_UNPAIRED, "The patient disconnected the app.", "disconnected", Why.PATIENT)
DEREFERENCED = Ending(EventName.APP_REMOVED, "The app has left the catalogue.", "removed", Why.REMOVED)
DATE_CAME = Ending(EventName.APP_ENDED, "The day came that the patient had chosen.", "ended", Why.ENDED)


async def revoke_pairing(  # noqa: PLR0917  in the order of the host's words
    connection: Connection,
    subject: UUID,
    app_id: UUID,
    person: Person,
    journal: Journal,
    data_plane: DataPlane,
    now: datetime | None = None,
) -> None:
    """The patient disconnects an app, whatever its status. Raises Unknown when it was never connected."""
    app = await app_by_id(connection, app_id)
    if app is None:
        raise Unknown
    await end_pairing(
        connection,
        subject,
        app,
        UNPAIRED,
        actor=person,
        journal=journal,
        data_plane=data_plane,
        now=now or datetime.now(UTC),
    )


async def withdraw_purpose(  # noqa: PLR0917  in the order of the host's words
    connection: Connection,
    subject: UUID,
    app_id: UUID,
    purpose_key: str,
    person: Person,
    journal: Journal,
    data_plane: DataPlane,
    now: datetime | None = None,
) -> bool:
    """Take one purpose back; its data looks absent to the app from this moment. True when it was the last one, and so
    the app is disconnected. A required purpose can be taken back too: the app was told that it may lose any.

    Raises Unknown when it was not consented to.
    """
    now = now or datetime.now(UTC)
    app = await app_by_id(connection, app_id)
    if app is None:
        raise Unknown
    async with space(connection, subject):
        pairing_id = await locked_pairing(connection, app_id, subject)
        if pairing_id is None or not await withdraw(
            connection, pairing_id, [purpose_key], person_id=person.id, now=now
        ):
            raise Unknown
        last = not await current(connection, pairing_id)
        await journal.write(
            connection, _of_actor(EventName.PURPOSE_WITHDRAWN, subject, person, app, purpose=purpose_key)
        )
        if last:
            await end_pairing(
                connection, subject, app, UNPAIRED, actor=person, journal=journal, data_plane=data_plane, now=now
            )
    return last


async def on_password_changed(
    connection: Connection,
    person_id: UUID,
    journal: Journal,
    data_plane: DataPlane,
    now: datetime | None = None,
) -> int:
    """End every grant that a person gave (RFC 9700 §4.14); consents stay, apps have to ask again. Returns how many."""
    now = now or datetime.now(UTC)
    async with connection.transaction():
        rows = await (await connection.execute(GRANTS_OF_PERSON, (person_id,))).fetchall()
        for row in rows:
            async with space(connection, row.subject):
                await revoke_grant(connection, row.grant_id, PASSWORD_CHANGED, data_plane, now, why=Why.SECURITY)
                await journal.write(
                    connection,
                    CatalogueEvent(
                        EventName.GRANT_REVOKED,
                        row.subject,
                        "system",
                        None,
                        "",
                        f"grant/{row.grant_id}",
                        reason=PASSWORD_CHANGED,
                    ),
                )
    return len(rows)


async def revoke_grant(
    connection: Connection, grant_id: UUID, reason: str, data_plane: DataPlane, now: datetime, *, why: Why | None
) -> bool:
    """End one grant, inside `space` of its patient. False when it had ended before.

    why  what the vendor is told; None where it is told nothing, for its app did it
    """
    row = await (await connection.execute(REVOKE_GRANT, {"grant": grant_id, "reason": reason, "now": now})).fetchone()
    if row is None:
        return False
    await data_plane.on_revoked(connection, EndedGrant(row.id, row.pairing_id, row.app_id, row.subject, reason))
    if why is not None:
        await note(connection, row.app_id, row.pairing_id, why, now)
    return True


async def end_pairing(
    connection: Connection,
    subject: UUID,
    app: App,
    ending: Ending,
    *,
    actor: Actor,
    journal: Journal,
    data_plane: DataPlane,
    now: datetime,
    details: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Close every consent and end every grant of an app in a space, all or nothing. Raises Unknown where the two never
    met; where nothing was left to end, nothing is written down. `details` are for the journal."""
    async with space(connection, subject):
        pairing_id = await locked_pairing(connection, app.id, subject)
        if pairing_id is None:
            raise Unknown
        consents = await withdraw_all(connection, pairing_id, person_id=actor.id, now=now, closed_as=ending.closed_as)
        grants = await end_grants(connection, pairing_id, ending, data_plane, now)
        await connection.execute(CLOSE_QUESTION, (now, actor.id, pairing_id))
        if consents or grants:
            counted: dict[str, str | int] = {"consents": consents, "grants": grants, **details}
            event = _of_actor(ending.event, subject, actor, app, reason=ending.reason, details=counted)
            await journal.write(connection, event)


async def end_grants(
    connection: Connection, pairing_id: UUID, ending: Ending, data_plane: DataPlane, now: datetime
) -> int:
    """End every grant of a pairing, inside `space` of its patient; returns how many lived. The vendor is told once."""
    parameters = {"pairing": pairing_id, "reason": ending.reason, "now": now}
    rows = await (await connection.execute(REVOKE_GRANTS, parameters)).fetchall()
    for row in rows:
        ended = EndedGrant(row.id, row.pairing_id, row.app_id, row.subject, ending.reason)
        await data_plane.on_revoked(connection, ended)
    if rows:
        await note(connection, rows[0].app_id, pairing_id, ending.why, now)
    return len(rows)


def _of_actor(
    name: EventName,
    subject: UUID,
    actor: Actor,
    app: App,
    *,
    purpose: str | None = None,
    reason: str | None = None,
    details: Mapping[str, str | int] = MappingProxyType({}),
) -> CatalogueEvent:
    return CatalogueEvent(
        name,
        subject,
        actor.kind,
        actor.id,
        actor.display_name,
        f"app/{app.id}",
        purpose=purpose,
        reason=reason,
        details={"app": app.name, **details},
    )
