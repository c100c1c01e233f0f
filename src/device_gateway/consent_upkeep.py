"""What is due about consents: those that reached their day, letters to patients, notices to vendors."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from psycopg import AsyncConnection

import app_catalog
from device_gateway.accounts.majority import MAJORITY, birthday, is_of_age
from device_gateway.catalogue_key import catalogue_key
from device_gateway.catalogue_wiring import MeasurementPlane, SpaceJournal
from device_gateway.database.pool import AsyncPool, Row
from device_gateway.database.scoping import space_scope
from device_gateway.mail.outbox import Outbox
from device_gateway.mail.patients import ZONE, PatientMail
from device_gateway.settings import Settings

OF_AGE: Final = "SELECT space_id, birth_date FROM gateway.spaces_of_age(%s)"
TOLD: Final = "UPDATE gateway.space SET of_age_since = %s WHERE id = %s AND of_age_since IS NULL AND birth_date = %s"


async def keep_consents(settings: Settings, connection: AsyncConnection[Row], now: datetime) -> None:
    """Everything but the notices. Whatever was done is not done again, however many processes do this."""
    journal, patients = SpaceJournal(), PatientMail(Outbox(catalogue_key(settings)))
    await app_catalog.end_consents(connection, journal, MeasurementPlane(), now)
    await tell_of_age(connection, now)
    await app_catalog.tell_questions(connection, journal, patients, now)
    await app_catalog.send_lists(connection, journal, patients, now)


async def tell_vendors(settings: Settings, pool: AsyncPool, now: datetime) -> int:
    """Attempt the notices that are due; returns how many attempts there were. Without a key nobody is told anything."""
    key = catalogue_key(settings)
    if key is None:
        return 0
    hosts = settings.jwks_hosts.replace(",", " ").split()
    return await app_catalog.deliver_notices(
        pool, issuer=settings.public_url, master_key=key, now=now, hosts_inside=hosts
    )


async def tell_of_age(connection: AsyncConnection[Row], now: datetime) -> int:
    """Have every patient who has come of age asked again about their apps; returns how many did."""
    latest = birthday(now.date(), -MAJORITY)
    rows, told = await (await connection.execute(OF_AGE, (latest,))).fetchall(), 0
    for row in rows:
        async with space_scope(connection, row.space_id):
            if not await _is_of_age(connection, row.space_id, row.birth_date, now):
                continue
            since = birthday(row.birth_date, MAJORITY)
            if (await connection.execute(TOLD, (since, row.space_id, row.birth_date))).rowcount:
                await app_catalog.on_majority(connection, row.space_id, now)
                told += 1
    return told


async def _is_of_age(connection: AsyncConnection[Row], space: UUID, birth_date: date, now: datetime) -> bool:
    row = await (await connection.execute(ZONE, (space,))).fetchone()
    return row is not None and is_of_age(birth_date, row.zone, now)
