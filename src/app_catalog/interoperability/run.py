"""Runs of scenarios: armed by a vendor for one simulated patient, carried on by what the client does, ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from app_catalog.errors import Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.interoperability.rules import SILENCE, STOPPED, Effect, Event, Reaction, Stage, reaction_to
from app_catalog.interoperability.scenario import Outcome, Scenario
from app_catalog.sandbox.tested import app_for
from app_catalog.space import space
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
  VALUES (%s, %s, %s, %s, %s, 'armed', %s, %s, %s, %s)
  ON CONFLICT (app_id, sandbox) WHERE outcome IS NULL DO NOTHING"""
GO_ON: Final = """UPDATE catalogue.scenario_run SET stage = %s, stage_at = %s, grant_id = coalesce(%s, grant_id)
  WHERE id = %s"""
END: Final = "UPDATE catalogue.scenario_run SET outcome = %s, ended_at = %s WHERE id = %s"
ADD_STEP: Final = "INSERT INTO catalogue.scenario_step (run_id, step, at) VALUES (%s, %s, %s)"
TIMES: Final = "SELECT count(*) AS times FROM catalogue.scenario_step WHERE run_id = %s AND step = %s AND at >= %s"
NOTICE: Final = """SELECT n.id FROM catalogue.revocation_notice n
  JOIN catalogue.access_grant g ON g.pairing_id = n.pairing_id WHERE g.id = %s AND n.delivered_at >= %s LIMIT 1"""
LAST: Final = "SELECT max(at) AS at FROM catalogue.scenario_step WHERE run_id = %s"

TIME_TO_END: Final = timedelta(minutes=15)  # of a run, from arming: longer than anybody needs to click through it
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
        run_id = uuid4()
        values = (
            run_id, app.application_id, app_id, scenario.value, sandbox, person.id, person.display_name, now, now
        )  # fmt: skip
        if (await connection.execute(ARM, values)).rowcount != 1:  # programs arm at the same moment
            raise WrongState("Another scenario waits for this patient: cancel it first.")
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
    if reaction.apart and now - run.stage_at < reaction.apart:
        return None
    await connection.execute(ADD_STEP, (run.id, reaction.step, now))
    if reaction.limit > 1 and await _times(connection, run, reaction) < reaction.limit:
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
        await settle_run(connection, run, now)


async def settle_run(connection: Connection, run: Run, now: datetime) -> Outcome | None:
    """The outcome, where time has shown one; `run` is locked."""
    run = await with_notice(connection, run, now)
    silence = SILENCE.get((run.scenario, run.stage))
    if silence is not None and isinstance(silence.then, Outcome) and now - await _last(connection, run) >= STOPPED:
        step, outcome = silence.step, silence.then
    elif now - run.armed_at >= TIME_TO_END:
        step, outcome = LATE, Outcome.TIMED_OUT
    else:
        return None
    await connection.execute(ADD_STEP, (run.id, step, now))
    await _end(connection, run, outcome, now)
    return outcome


async def with_notice(connection: Connection, run: Run, now: datetime) -> Run:
    """`run`, gone on where the vendor was told of the end of the access before its client was: it need not call."""
    if reaction_to(run.scenario, run.stage, Event.NOTIFIED) is None:
        return run
    async with space(connection, run.sandbox):
        row = await (await connection.execute(NOTICE, (run.grant_id, run.stage_at))).fetchone()
    if row is None:
        return run
    await carry_on(connection, run, Event.NOTIFIED, now)
    return _run(await (await connection.execute(RUN, (run.id,))).fetchone()) or run


async def locked_run(connection: Connection, run_id: UUID) -> Run | None:
    """A run that has not ended and that nobody else holds, locked."""
    return _run(await (await connection.execute(f"{RUN} SKIP LOCKED", (run_id,))).fetchone())


async def _last(connection: Connection, run: Run) -> datetime:
    """When something happened that was written down."""
    row: Row = await (await connection.execute(LAST, (run.id,))).fetchone()
    return max(run.stage_at, row.at or run.stage_at)


async def _times(connection: Connection, run: Run, reaction: Reaction) -> int:
    """How often, since it waits for this."""
    key = (run.id, reaction.step, run.stage_at + reaction.apart)
    (row,) = await (await connection.execute(TIMES, key)).fetchall()
    return int(row.times)


async def _end(connection: Connection, run: Run, outcome: Outcome, now: datetime) -> None:
    await connection.execute(END, (outcome.value, now, run.id))


def _run(row: Row | None) -> Run | None:
    if row is None:
        return None
    return Run(
        row.id, row.application_id, row.app_id, Scenario(row.scenario), row.sandbox, Stage(row.stage), row.stage_at,
        row.armed_at, row.grant_id,
    )  # fmt: skip
