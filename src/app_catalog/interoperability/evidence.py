"""Has a version of an app shown that it is interoperable? Every scenario passed, or a reviewer stands for it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app_catalog.interoperability.scenario import Outcome, Scenario
from app_catalog.wiring import Connection, Row

LATEST = """SELECT DISTINCT ON (scenario) scenario, outcome FROM catalogue.scenario_run
  WHERE application_id = %s AND outcome IN ('passed', 'failed') ORDER BY scenario, ended_at DESC, id"""
ATTESTATION = "SELECT reason, attested_by_name, attested_at FROM catalogue.attestation WHERE application_id = %s"


@dataclass(frozen=True)
class Attestation:
    """A reviewer takes interoperability as shown elsewhere."""

    reason: str
    attested_by_name: str
    attested_at: datetime


async def is_shown(connection: Connection, application_id: UUID) -> bool:
    """Whether the latest result of every scenario on this version is a pass, or a reviewer attested it."""
    rows: list[Row] = await (await connection.execute(LATEST, (application_id,))).fetchall()
    passed = {row.scenario for row in rows if row.outcome == Outcome.PASSED}
    return passed >= set(Scenario) or await attestation_of(connection, application_id) is not None


async def attestation_of(connection: Connection, application_id: UUID) -> Attestation | None:
    row = await (await connection.execute(ATTESTATION, (application_id,))).fetchone()
    return Attestation(*row) if row is not None else None
