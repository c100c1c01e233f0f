"""`device-gateway jobs`: each job is done, by whichever process comes to it, whatever becomes of the others."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from fault_world import wait_until
from home_world import Program
from ingest_world import World, message, weight
from psycopg.types.json import Jsonb

from device_gateway.database.embedded import EmbeddedPostgres

StartJobs = Callable[..., Program]


@pytest.fixture
def start(postgres: EmbeddedPostgres, world: World, tmp_path: Path) -> Iterator[StartJobs]:
    started: list[Program] = []

    def start(**settings: str) -> Program:
        settings |= {
            "database_url": postgres.url("gateway_app", world.database),
            "database_ingest_url": world.ingest_url,
        }
        file = tmp_path / f"{len(started)}.toml"
        file.write_text("\n".join(f'{name} = "{value}"' for name, value in settings.items()))
        program = Program(tmp_path / f"{len(started)}.log", "ready jobs", "jobs", "--config", str(file))
        started.append(program)
        program.wait_ready()
        return program

    yield start
    for program in started:
        program.stop()
    world.rows("DELETE FROM gateway.job")


def cause(world: World, kind: str = "broker:disconnect", **payload: str) -> int:
    query = "INSERT INTO gateway.job (kind, payload) VALUES (%s, %s) RETURNING id"
    return int(world.one(query, kind, Jsonb(payload or {"device_id": str(uuid4())})))


def done(world: World) -> list[int]:
    return [row.id for row in world.rows("SELECT id FROM gateway.job WHERE done_at IS NOT NULL ORDER BY id")]


def test_a_job_is_done_as_soon_as_it_is_there(world: World, start: StartJobs) -> None:
    start()
    time.sleep(0.5)
    job = cause(world)
    wait_until(lambda: done(world) == [job], 3, "the job")


def test_a_job_that_fails_waits_and_keeps_no_other_from_being_done(world: World, start: StartJobs) -> None:
    unknown, broken, good = cause(world, "no:such"), cause(world, device_id="not an id"), cause(world)
    start()
    wait_until(lambda: done(world) == [good])
    rows = {row.id: row for row in world.rows("SELECT * FROM gateway.job WHERE done_at IS NULL")}
    assert rows[unknown].last_error == "no handler of this kind in this version"
    assert rows[broken].last_error.startswith("ValueError")
    assert all(row.attempts >= 1 for row in rows.values())
    assert world.one("SELECT bool_and(run_after > now()) FROM gateway.job WHERE done_at IS NULL")


def test_processes_share_the_jobs(world: World, start: StartJobs) -> None:
    for _ in range(2):
        start()
    jobs = [cause(world) for _ in range(60)]
    wait_until(lambda: done(world) == jobs)
    assert world.one("SELECT sum(attempts) FROM gateway.job") == 0


def test_a_job_in_the_hands_of_a_process_that_is_killed_is_done_by_another(
    world: World, start: StartJobs, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.json"
    secrets.write_text('{"ingest": "", "callout": "", "system": "x", "issuer_seed": "", "issuer": ""}')
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a broker that never answers: the job takes long
        first = start(nats_url=f"nats://127.0.0.1:{silent.getsockname()[1]}", nats_secrets=str(secrets))
        job = cause(world)
        silent.settimeout(10)
        connection, _ = silent.accept()
        first.kill()
        connection.close()
    assert done(world) == []
    start()
    wait_until(lambda: done(world) == [job])


def test_it_outlives_the_loss_of_every_connection(world: World, start: StartJobs, postgres: EmbeddedPostgres) -> None:
    start()
    theirs = "FROM pg_stat_activity WHERE usename = 'gateway_app' AND datname = current_database()"
    with psycopg.connect(postgres.url("postgres", world.database), autocommit=True) as connection:
        wait_until(lambda: connection.execute(f"SELECT pid {theirs}").rowcount >= 2)  # the pool, and who listens
        connection.execute(f"SELECT pg_terminate_backend(pid) {theirs}")
    job = cause(world)
    wait_until(lambda: done(world) == [job])


def test_its_log_names_an_error_and_does_not_quote_it(world: World, start: StartJobs, tmp_path: Path) -> None:
    broken = cause(world, device_id="98.7654")
    start()
    wait_until(lambda: world.one("SELECT attempts FROM gateway.job WHERE id = %s", broken) > 0)
    log = (tmp_path / "0.log").read_text()
    assert "ValueError" in log
    assert "98.7654" not in log


def test_what_waited_too_long_for_an_answer_is_removed(world: World, start: StartJobs) -> None:
    scale = world.device(world.space(), since="2026-02-01T00:00:00Z")
    world.writer().commit([message(scale, *[weight("70", f"2026-01-0{day}T00:00:00Z") for day in (1, 2)])])
    late = "UPDATE gateway.reading_inbox SET received_at = now() - interval '11 days'"
    world.rows(f"{late} WHERE (device_id, time) = (%s, %s)", scale, "2026-01-01T00:00:00Z")
    start(inbox_days="10")
    wait_until(lambda: len(world.inbox(scale)) == 1)


def test_who_uses_a_device_is_told_when_its_holder_gives_it_away(world: World, start: StartJobs) -> None:
    holder, person = world.space(), world.space()
    scale = world.device(holder)
    user = "INSERT INTO gateway.device_user (device_id, user_index, space_id, during, name)"
    for number, space, name in ((1, holder, None), (2, person, "Balance")):
        world.rows(f"{user} VALUES (%s, %s, %s, tstzrange(now(), NULL), %s)", scale, number, space, name)
    world.release(scale, "2030-01-01T00:00:00Z")
    start()
    journal = "SELECT event, details FROM gateway.journal WHERE space_id = %s"
    wait_until(lambda: bool(world.rows(journal, person)))
    assert world.rows(journal, person) == [("portal:device_user:leave", {"device": "Balance", "user": 2})]
    assert world.rows(journal, holder) == []


def test_the_store_is_kept_where_jobs_may_be_its_owner(world: World, start: StartJobs) -> None:
    world.rows("SELECT gateway.ensure_partition(ARRAY[timestamptz '2019-05-01'])")
    there = "SELECT to_regclass('gateway.reading_201905') IS NOT NULL"
    start(retention_days="700")
    assert world.one(there), "nothing is removed by who serves"
    start(retention_days="700", database_owner_url=world.owner_url)
    wait_until(lambda: not world.one(there), 10, "the upkeep")
