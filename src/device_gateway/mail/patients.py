"""Letters to patients: by mail, where a patient has confirmed an address; otherwise the portal alone tells them."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from psycopg import AsyncConnection

from app_catalog import Mail, PatientLetter
from device_gateway.accounts.account import DEFAULT_ZONE
from device_gateway.database.pool import Row

ZONE: Final = "SELECT zone FROM gateway.space WHERE id = %s"
ADDRESS: Final = """SELECT notice_email, coalesce(gateway.space_language(), 'fr') AS language FROM gateway.space
  WHERE id = %s AND notice_email IS NOT NULL"""


@dataclass(frozen=True)
class PatientMail:
    """What the catalogue is handed to write to patients. All of it runs in the space of the patient concerned."""

    mail: Mail

    async def zone(self, connection: AsyncConnection[Row], subject: UUID) -> str:
        row = await (await connection.execute(ZONE, (subject,))).fetchone()
        return str(row.zone) if row else DEFAULT_ZONE

    async def write(self, connection: AsyncConnection[Row], subject: UUID, letter: PatientLetter) -> None:
        row = await (await connection.execute(ADDRESS, (subject,))).fetchone()
        if row is not None:
            await self.mail.send(connection, row.notice_email, letter.subject[row.language], letter.text[row.language])
