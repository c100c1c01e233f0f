"""Agreeing to one more purpose of an app that is connected, without the app."""

from datetime import datetime
from uuid import UUID

from app_catalog.consents.pairing import agreed_keys, current_end, give, locked_pairing
from app_catalog.consents.reapproval import WordsChanged, open_question
from app_catalog.consents.wording import language_of
from app_catalog.errors import Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.sandbox.tested import app_connected
from app_catalog.space import space
from app_catalog.wiring import CatalogueEvent, Connection, DataPlane, Journal, Person


async def agree_to_purpose(
    connection: Connection,
    subject: UUID,
    app_id: UUID,
    key: str,
    words: UUID,
    *,
    person: Person,
    journal: Journal,
    data_plane: DataPlane,
    now: datetime,
) -> None:
    """Agree to the purpose `key` as the version in force words it, until the day that holds for the app. It opens what
    the app asked for when it was connected, and no more.

    words  what the patient has read (`Purpose.same_as`)

    Raises Unknown for an app that is not connected or has no such purpose, WrongState where it is agreed to already or
    the app awaits an answer about all of it, WordsChanged where the purpose says something else than what was read.
    """
    async with space(connection, subject):
        pairing_id = await locked_pairing(connection, app_id, subject)
        app = await app_connected(connection, app_id, subject)
        ends_at = await current_end(connection, app_id, subject, now)
        purpose = next((one for one in app.purposes if one.key == key), None) if app else None
        if app is None or pairing_id is None or ends_at is None or purpose is None:
            raise Unknown
        if key in await agreed_keys(connection, app, subject, now) or await open_question(connection, app_id, subject):
            raise WrongState
        if purpose.same_as != words:
            raise WordsChanged
        await give(
            connection, pairing_id, app, [purpose], subject=subject, person_id=person.id,
            language=language_of(person.language), data_plane=data_plane, now=now, ends_at=ends_at,
        )  # fmt: skip
        event = CatalogueEvent(
            EventName.PURPOSE_GIVEN, subject, person.kind, person.id, person.display_name, f"app/{app.id}",
            purpose=key, details={"app": app.name},
        )  # fmt: skip
        await journal.write(connection, event)
