"""What is due about consents: those that reached their day, letters to patients, notices to vendors."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from psycopg import AsyncConnection

import app_catalog
from device_gateway.accounts.majority import MAJORITY, birthday, is_of_age
from device_gateway.catalogue_key import catalogue_key
from device_gateway.catalogue_upkeep import Step, each_alone
from device_gateway.catalogue_wiring import MeasurementPlane, SpaceJournal
from device_gateway.database.pool import AsyncPool, Row
from device_gateway.mail.outbox import Outbox
from device_gateway.mail.patients import ZONE, PatientMail
from device_gateway.settings import Settings

OF_AGE: Final = "SELECT space_id, birth_date FROM gateway.spaces_of_age(%s)"
TOLD: Final = "UPDATE gateway.space SET of_age_since = %s WHERE id = %s AND of_age_since IS NULL AND birth_date = %s"


async def keep_consents(settings: Settings, pool: AsyncPool, now: datetime) -> None:
    """Everything but notices and announcements. Whatever was done is not done again, however many processes do this;
    whatever fails holds up nothing else."""
    journal, patients = SpaceJournal(), PatientMail(Outbox(catalogue_key(settings)))
    steps: dict[str, Step] = {
        "ends": lambda connection: app_catalog.end_consents(connection, journal, MeasurementPlane(), now),
        "majority": lambda connection: tell_of_age(connection, now),
        "questions": lambda connection: app_catalog.tell_questions(connection, journal, patients, now),
        "lists": lambda connection: app_catalog.send_lists(connection, journal, patients, now),
    }
    await each_alone(pool, steps)


async def tell_patients(settings: Settings, pool: AsyncPool, now: datetime) -> int:
    """Tell patients what became of their apps; returns for how many it was tried, none where nobody waits."""
    patients = PatientMail(Outbox(catalogue_key(settings)))
    async with pool.connection() as connection:
        return await app_catalog.tell_moves(connection, SpaceJournal(), MeasurementPlane(), patients, now)


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
        if await app_catalog.is_put_off(connection, app_catalog.Work.MAJORITY, row.space_id):
            continue
        async with app_catalog.alone(connection, app_catalog.Work.MAJORITY, row.space_id):
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
