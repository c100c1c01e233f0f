"""That a patient looked at readings, for the journal."""

from collections.abc import Sequence

from psycopg import AsyncConnection

from device_gateway.access import Patient, Permit, journal_decision
from device_gateway.database.pool import Row
from device_gateway.journal import EventName

# A patient's own looks are one row an hour, like a device's syncs: more would bury what others did.
NOT_SEEN_LATELY = f"""SELECT 1 WHERE NOT EXISTS (SELECT FROM gateway.journal
  WHERE space_id = %s AND at > now() - interval '1 hour' AND event = '{EventName.READINGS_SEEN}' AND actor_id = %s)"""


async def record_seen(connection: AsyncConnection[Row], actor: Patient, quantity: int, metrics: Sequence[str]) -> None:
    """`actor` saw `quantity` readings of `metrics`. `connection` is in the patient's space."""
    if await (await connection.execute(NOT_SEEN_LATELY, (actor.space, str(actor.account)))).fetchone():
        await journal_decision(
            connection,
            actor.space,
            actor,
            EventName.READINGS_SEEN,
            Permit(),
            resource="Observation",
            quantity=quantity,
            metrics=metrics,
        )
