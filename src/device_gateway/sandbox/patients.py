"""What the catalogue is handed for its vendors: simulated patients with an account, and days that a job fills in."""

import asyncio
import secrets
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from app_catalog import SimulatedPatient
from device_gateway.accounts.account import DEFAULT_ZONE, Language
from device_gateway.accounts.passwords import hash_password
from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.sandbox.filling import FILL

NAME_BYTES: Final = 5  # of randomness in a user name: nobody's else begins like it
PASSWORD_BYTES: Final = 12
OPEN: Final = "SELECT gateway.sandbox_open(%s, %s, %s, %s, %s) AS space"
CLEAR: Final = "SELECT gateway.sandbox_clear()"
END: Final = "SELECT gateway.sandbox_end()"
LAST_USED: Final = "SELECT max(at) AS at FROM gateway.journal WHERE space_id = %s"  # whatever it was, it was noticed
NEW_JOB: Final = "INSERT INTO gateway.job (kind, payload) VALUES (%s, %s)"


class SimulatedPatients:
    """Each method runs in the transaction of its caller."""

    async def open(self, connection: AsyncConnection[Row], name: str, language: Language) -> SimulatedPatient:
        username, password = f"sandbox-{secrets.token_hex(NAME_BYTES)}", secrets.token_urlsafe(PASSWORD_BYTES)
        hashed = await asyncio.to_thread(hash_password, password)
        values = (username, hashed, name, language, DEFAULT_ZONE)
        [row] = await (await connection.execute(OPEN, values)).fetchall()
        await self._wants_days(connection, row.space)
        return SimulatedPatient(row.space, username, password)

    async def reset(self, connection: AsyncConnection[Row], subject: UUID) -> None:
        async with space_scope(connection, subject):
            await connection.execute(CLEAR)
            await self._wants_days(connection, subject)

    async def end(self, connection: AsyncConnection[Row], subject: UUID) -> None:
        async with space_scope(connection, subject):
            await connection.execute(END)

    async def last_used(self, connection: AsyncConnection[Row], subject: UUID) -> datetime | None:
        async with space_scope(connection, subject):
            row = await (await connection.execute(LAST_USED, (subject,))).fetchone()
        return row.at if row else None

    async def _wants_days(self, connection: AsyncConnection[Row], subject: UUID) -> None:
        await connection.execute(NEW_JOB, (FILL, Jsonb({"space": str(subject)})))
