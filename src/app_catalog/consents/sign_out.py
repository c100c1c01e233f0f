"""What ends with a session: the grants of "online access" (SMART App Launch 2.2 @100)."""

from datetime import datetime
from typing import Final

from app_catalog.consents.notices import Why
from app_catalog.consents.revocation import revoke_grant
from app_catalog.events import EventName
from app_catalog.space import space
from app_catalog.wiring import CatalogueEvent, Connection, DataPlane, Journal

GRANTS_OF_SESSION: Final = "SELECT subject, grant_id FROM catalogue.grants_of_session(%s)"
SIGNED_OUT: Final = "The patient signed out."


async def on_signed_out(
    connection: Connection, session: bytes, journal: Journal, data_plane: DataPlane, now: datetime
) -> int:
    """End every grant that lives on `session`, the key of its `SignIn`. Returns how many."""
    async with connection.transaction():
        rows = await (await connection.execute(GRANTS_OF_SESSION, (session,))).fetchall()
        for row in rows:
            async with space(connection, row.subject):
                await revoke_grant(connection, row.grant_id, SIGNED_OUT, data_plane, now, why=Why.SIGNED_OUT)
                resource = f"grant/{row.grant_id}"
                event = CatalogueEvent(
                    EventName.GRANT_REVOKED, row.subject, "system", None, "", resource, reason=SIGNED_OUT
                )
                await journal.write(connection, event)
    return len(rows)
