"""Interoperability tests of an application's client: what is expected, runs to start and to wait for, what was seen."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app_catalog.api.model import Instant, Model
from app_catalog.api.operation import Call, Created
from app_catalog.api.own import own_application
from app_catalog.errors import Fault, Unacceptable, Unknown, WrongState
from app_catalog.interoperability.history import run_of
from app_catalog.interoperability.observation import Observation
from app_catalog.interoperability.pages import NONE_WAITS
from app_catalog.interoperability.report import ObservationLine, ScenarioLine, report_of
from app_catalog.interoperability.rules import Stage
from app_catalog.interoperability.run import arm, cancel
from app_catalog.interoperability.scenario import Outcome, Scenario
from app_catalog.sandbox.simulated import simulated_patients
from app_catalog.wiring import Row

UNDECIDED = frozenset({"submitted", "admissible"})


class Step(Model):
    at: Instant
    step: str


class Run(Model):
    id: UUID
    scenario: Scenario
    patient_id: UUID
    stage: Stage
    waits_for: str | None = Field(description="In words, while it goes on.")
    outcome: Outcome | None = Field(description="None while it goes on; ask again with If-None-Match.")
    armed_by: str
    armed_at: Instant
    ended_at: Instant | None
    steps: tuple[Step, ...]


class ScenarioShown(Model):
    scenario: Scenario
    name: str
    expectation: str = Field(description="What the client has to do.")
    run_id: UUID | None = Field(description="The run that counts: one that goes on, else the latest with a result.")
    outcome: Outcome | None
    stage: Stage | None


class Seen(Model):
    times: int
    last_at: Instant
    detail: str


class ObservationShown(Model):
    observation: Observation
    name: str
    good: Seen | None
    bad: Seen | None


class Interoperability(Model):
    is_shown: bool = Field(description="All scenarios passed, or a reviewer takes it as shown elsewhere.")
    attestation: str | None
    scenarios: tuple[ScenarioShown, ...]
    observations: tuple[ObservationShown, ...]


class NewRun(Model):
    scenario: Scenario
    patient_id: UUID = Field(description="A simulated patient, with whose next authorization it begins.")


async def interoperability(call: Call) -> Interoperability:
    application = await own_application(call)
    if application.submitted_at is None:
        raise Unknown("Nothing was submitted yet.")
    return await shown_report(call, application.id)


async def shown_report(call: Call, application_id: UUID) -> Interoperability:
    report = await report_of(call.connection, application_id, call.wiring.clock())
    return Interoperability(
        is_shown=report.shown,
        attestation=report.attestation.reason if report.attestation else None,
        scenarios=tuple(_scenario(line) for line in report.scenarios),
        observations=tuple(_observation(line) for line in report.observations),
    )


async def new_run(call: Call) -> Created:
    """The next authorization of this patient follows the scenario."""
    body: NewRun = call.body
    application = await own_application(call)
    if application.state not in UNDECIDED:
        raise WrongState(NONE_WAITS)
    if body.patient_id not in {row.subject for row in await simulated_patients(call.connection, call.vendor_id)}:
        raise Unacceptable(Fault("/patient_id", "There is no such simulated patient."))
    run_id = await arm(call.connection, application.app_id, body.scenario, body.patient_id, **call.doing)
    return Created(await _run(call, application.id, run_id), f"{call.request.url.path}/{run_id}")


async def run(call: Call) -> Run:
    return await _run(call, (await own_application(call)).id, call.id("run_id"))


async def end_run(call: Call) -> None:
    application = await own_application(call)
    known = await run_of(call.connection, application.id, call.id("run_id"), call.wiring.clock())
    if known.outcome is not None:
        raise WrongState("This run has ended.")
    await cancel(
        call.connection, application.app_id, known.id, vendor_id=call.vendor_id, person=call.program,
        now=call.wiring.clock(),
    )  # fmt: skip


async def _run(call: Call, application_id: UUID, run_id: UUID) -> Run:
    row = await run_of(call.connection, application_id, run_id, call.wiring.clock())
    stage = Stage(row.stage)
    return Run(
        id=row.id,
        scenario=Scenario(row.scenario),
        patient_id=row.sandbox,
        stage=stage,
        waits_for=stage.label if row.outcome is None else None,
        outcome=Outcome(row.outcome) if row.outcome else None,
        armed_by=row.armed_by_name,
        armed_at=row.armed_at,
        ended_at=row.ended_at,
        steps=tuple(Step(at=datetime.fromisoformat(step["at"]), step=step["step"]) for step in row.steps),
    )


def _scenario(line: ScenarioLine) -> ScenarioShown:
    return ScenarioShown(
        scenario=line.scenario,
        name=line.scenario.label,
        expectation=line.scenario.expectation,
        run_id=line.run.id if line.run is not None else None,
        outcome=line.outcome,
        stage=line.stage,
    )


def _observation(line: ObservationLine) -> ObservationShown:
    return ObservationShown(
        observation=line.observation, name=line.observation.label, good=_seen(line.good), bad=_seen(line.bad)
    )


def _seen(row: Row | None) -> Seen | None:
    return Seen(times=row.times, last_at=row.last_at, detail=row.detail or "") if row is not None else None
