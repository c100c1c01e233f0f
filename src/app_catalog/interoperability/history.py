"""One run of a scenario with everything that happened in it, for programs that wait for its end."""

from datetime import datetime
from typing import Final
from uuid import UUID

from app_catalog.errors import Unknown
from app_catalog.interoperability.run import settle
from app_catalog.wiring import Connection, Row

RUN: Final = """SELECT r.id, r.scenario, r.stage, r.outcome, r.sandbox, r.armed_by_name, r.armed_at, r.ended_at,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('step', t.step, 'at', t.at) ORDER BY t.id), '[]')
      FROM catalogue.scenario_step t WHERE t.run_id = r.id) AS steps
  FROM catalogue.scenario_run r WHERE r.id = %s AND r.application_id = %s"""


async def run_of(connection: Connection, application_id: UUID, run_id: UUID, now: datetime) -> Row:
    """`id`, `scenario`, `stage`, `outcome` (None while it goes on), `sandbox`, `armed_by_name`, `armed_at`, `ended_at`
    and `steps` ([{"step", "at"}]), once runs have ended whose time is over. Raises Unknown."""
    async with connection.transaction():
        await settle(connection, application_id, now)
        row = await (await connection.execute(RUN, (run_id, application_id))).fetchone()
    if row is None:
        raise Unknown
    return row
