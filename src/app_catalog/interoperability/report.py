"""What was seen of a version's client, for its vendor and the reviewers: scenarios with their steps, observations."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app_catalog.interoperability.evidence import Attestation, attestation_of, is_shown
from app_catalog.interoperability.observation import Observation, observations_of
from app_catalog.interoperability.rules import Stage
from app_catalog.interoperability.run import settle
from app_catalog.interoperability.scenario import Outcome, Scenario
from app_catalog.wiring import Connection, Row

RUNS = """SELECT DISTINCT ON (r.scenario) r.id, r.scenario, r.stage, r.outcome, s.name AS patient, r.armed_by_name,
    r.armed_at, r.ended_at,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('step', t.step, 'at', t.at) ORDER BY t.id), '[]')
      FROM catalogue.scenario_step t WHERE t.run_id = r.id) AS steps
  FROM catalogue.scenario_run r LEFT JOIN catalogue.sandbox_space s ON s.subject = r.sandbox
  WHERE r.application_id = %s ORDER BY r.scenario, (r.outcome IS NULL) DESC,
    (r.outcome IN ('passed', 'failed')) DESC, r.armed_at DESC, r.id"""


@dataclass(frozen=True)
class ScenarioLine:
    """A scenario with the run of it that counts: one that goes on, else the latest result. None: never run."""

    scenario: Scenario
    run: Row | None

    @property
    def outcome(self) -> Outcome | None:
        return Outcome(self.run.outcome) if self.run is not None and self.run.outcome else None

    @property
    def stage(self) -> Stage | None:
        return Stage(self.run.stage) if self.run is not None and self.run.outcome is None else None


@dataclass(frozen=True)
class ObservationLine:
    """Rows of `catalogue.client_observation`; None for what was never seen."""

    observation: Observation
    good: Row | None
    bad: Row | None


@dataclass(frozen=True)
class Report:
    scenarios: tuple[ScenarioLine, ...]
    observations: tuple[ObservationLine, ...]
    attestation: Attestation | None
    shown: bool


async def report_of(connection: Connection, application_id: UUID, now: datetime) -> Report:
    """Everything that was seen so far, with the runs ended whose time is over."""
    async with connection.transaction():
        await settle(connection, application_id, now)
        rows: list[Any] = await (await connection.execute(RUNS, (application_id,))).fetchall()
        runs = {row.scenario: row for row in rows}
        seen = await observations_of(connection, application_id)
        return Report(
            tuple(ScenarioLine(scenario, runs.get(scenario.value)) for scenario in Scenario),
            tuple(
                ObservationLine(observation, seen.get(observation, {}).get(True), seen.get(observation, {}).get(False))
                for observation in Observation
            ),
            await attestation_of(connection, application_id),
            await is_shown(connection, application_id),
        )
