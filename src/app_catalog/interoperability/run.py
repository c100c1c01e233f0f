"""Runs of scenarios: armed by a vendor for one simulated patient, carried on by what the client does, ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from app_catalog.errors import Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.interoperability.rules import Effect, Event, Reaction, Stage, reaction_to
from app_catalog.interoperability.scenario import Outcome, Scenario
from app_catalog.sandbox.tested import app_for
from app_catalog.vendors.role import WRITERS, require
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Person, Row
from app_catalog.words import marked

_RUN = """SELECT id, application_id, app_id, scenario, sandbox, stage, stage_at, armed_at, grant_id
  FROM catalogue.scenario_run"""
OPEN: Final = f"{_RUN} WHERE app_id = %s AND sandbox = %s AND outcome IS NULL FOR UPDATE"
OPEN_OF_APPLICATION: Final = f"{_RUN} WHERE application_id = %s AND outcome IS NULL FOR UPDATE"
RUN: Final = f"{_RUN} WHERE id = %s AND outcome IS NULL FOR UPDATE"
ARM: Final = """INSERT INTO catalogue.scenario_run (id, application_id, app_id, scenario, sandbox, stage, armed_by,
    armed_by_name, armed_at, stage_at)
  VALUES (%s, %s, %s, %s, %s, 'armed', %s, %s, %s, %s)"""
GO_ON: Final = """UPDATE catalogue.scenario_run SET stage = %s, stage_at = %s, grant_id = coalesce(%s, grant_id)
  WHERE id = %s"""
END: Final = "UPDATE catalogue.scenario_run SET outcome = %s, ended_at = %s WHERE id = %s"
ADD_STEP: Final = "INSERT INTO catalogue.scenario_step (run_id, step, at) VALUES (%s, %s, %s)"
TIMES: Final = (
    "SELECT count(*) AS times, max(at) AS last_at FROM catalogue.scenario_step WHERE run_id = %s AND step = %s"
)

TIME_TO_END: Final = timedelta(minutes=15)  # of a run, from arming: longer than anybody needs to click through it
LEFT_ALONE: Final = timedelta(seconds=90)  # a code lives for sixty seconds: it was not redeemed, and cannot be any more
STOPPED: Final = timedelta(seconds=60)  # without a call: the client has understood
UNTOUCHED = marked("The client left the code alone until it had expired.")
SILENT = marked("The client was told that its token works no more, and has not called since.")
LATE = marked("The time for this scenario is over.")


@dataclass(frozen=True)
class Run:
    """One that has not ended. `grant_id` is that of the authorization for which the scenario was armed."""

    id: UUID
    application_id: UUID
    app_id: UUID
    scenario: Scenario
    sandbox: UUID
    stage: Stage
    stage_at: datetime
    armed_at: datetime
    grant_id: UUID | None


async def arm(
    connection: Connection,
    app_id: UUID,
    scenario: Scenario,
    sandbox: UUID,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
) -> UUID:
    """Have the next authorization of a simulated patient follow `scenario`. One at a time per app and patient.

    Raises Unknown, NotAllowed for who may not write for the vendor or a patient who is not the vendor's, or WrongState.
    """
    async with connection.transaction():
        app = await app_for(connection, app_id, sandbox)
        if app is None or not app.tested:
            raise Unknown
        await require(connection, app.vendor_id, person, *WRITERS)
        await settle(connection, app.application_id, now)
        if await open_run(connection, app_id, sandbox) is not None:
            raise WrongState("Another scenario waits for this patient: cancel it first.")
        run_id = uuid4()
        values = (
            run_id, app.application_id, app_id, scenario.value, sandbox, person.id, person.display_name, now, now
        )  # fmt: skip
        await connection.execute(ARM, values)
        await journal.write(
            connection,
            CatalogueEvent(
                EventName.SCENARIO_ARMED, None, person.kind, person.id, person.display_name,
                f"application/{app.application_id}", details={"app": app.name, "scenario": scenario.value},
            ),
        )  # fmt: skip
    return run_id


async def cancel(
    connection: Connection, app_id: UUID, run_id: UUID, *, vendor_id: UUID, person: Person, now: datetime
) -> None:
    """Raises NotAllowed or Unknown."""
    async with connection.transaction():
        await require(connection, vendor_id, person, *WRITERS)
        run = _run(await (await connection.execute(RUN, (run_id,))).fetchone())
        if run is None or run.app_id != app_id:
            raise Unknown
        await _end(connection, run, Outcome.CANCELLED, now)


async def open_run(connection: Connection, app_id: UUID, sandbox: UUID) -> Run | None:
    """The run that waits for something of this app and this simulated patient, locked."""
    return _run(await (await connection.execute(OPEN, (app_id, sandbox))).fetchone())


async def carry_on(
    connection: Connection, run: Run, event: Event, now: datetime, *, grant_id: UUID | None = None
) -> Effect | None:
    """Write down what `event` means for `run`. Returns what the product now has to do, if anything."""
    reaction = reaction_to(run.scenario, run.stage, event)
    if reaction is None:
        return None
    await connection.execute(ADD_STEP, (run.id, reaction.step, now))
    if reaction.limit > 1 and (await _times(connection, run, reaction)).times < reaction.limit:
        return None
    if isinstance(reaction.then, Outcome):
        await _end(connection, run, reaction.then, now)
    else:
        await connection.execute(GO_ON, (reaction.then.value, now, grant_id, run.id))
    return reaction.effect


async def settle(connection: Connection, application_id: UUID, now: datetime) -> None:
    """End the runs of which time has shown the result. Called before anybody looks at them."""
    rows = await (await connection.execute(OPEN_OF_APPLICATION, (application_id,))).fetchall()
    for run in filter(None, map(_run, rows)):
        waited = now - run.stage_at
        if run.stage is Stage.DISTURBED and run.scenario in {Scenario.WRONG_STATE, Scenario.WRONG_ISSUER}:
            if waited >= LEFT_ALONE:
                await connection.execute(ADD_STEP, (run.id, UNTOUCHED, now))
                await _end(connection, run, Outcome.PASSED, now)
        elif (
            run.stage is Stage.DISTURBED
            and run.scenario is Scenario.REVOKED
            and await _fell_silent(connection, run, now)
        ):
            await connection.execute(ADD_STEP, (run.id, SILENT, now))
            await _end(connection, run, Outcome.PASSED, now)
        elif now - run.armed_at >= TIME_TO_END:
            await connection.execute(ADD_STEP, (run.id, LATE, now))
            await _end(connection, run, Outcome.TIMED_OUT, now)


async def _fell_silent(connection: Connection, run: Run, now: datetime) -> bool:
    reaction = reaction_to(run.scenario, run.stage, Event.TURNED_AWAY)
    if reaction is None:
        return False
    told = await _times(connection, run, reaction)
    return bool(told.times and now - told.last_at >= STOPPED)


async def _times(connection: Connection, run: Run, reaction: Reaction) -> Row:
    return (await (await connection.execute(TIMES, (run.id, reaction.step))).fetchall())[0]


async def _end(connection: Connection, run: Run, outcome: Outcome, now: datetime) -> None:
    await connection.execute(END, (outcome.value, now, run.id))


def _run(row: Row | None) -> Run | None:
    if row is None:
        return None
    return Run(
        row.id, row.application_id, row.app_id, Scenario(row.scenario), row.sandbox, Stage(row.stage), row.stage_at,
        row.armed_at, row.grant_id,
    )  # fmt: skip
