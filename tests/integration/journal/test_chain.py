"""The journal of a space: one chain, in order, that nobody can change unnoticed."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest
from ingest_world import World, fresh_world, message, weight

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.pool import AsyncPool
from device_gateway.database.scoping import space_scope
from device_gateway.journal import Actor, Event, EventName, record
from device_gateway.journal.reading_back import Broken, Intact, page, verify

AT = "2026-03-01T07:31:05+01:00"
SYSTEM = Actor("system")


@pytest.fixture(scope="module")
def store(postgres: EmbeddedPostgres) -> Iterator[World]:
    with fresh_world(postgres) as world:
        yield world


@pytest.fixture
def world(store: World) -> World:
    """With no journal yet: who tampers with one does not ask whose it is."""
    store.rows("TRUNCATE gateway.journal, gateway.journal_head, gateway.device_activity")
    return store


@pytest.fixture
def app_url(postgres: EmbeddedPostgres, store: World) -> str:
    return postgres.url("gateway_app", store.database)


async def checked(pool: AsyncPool, space: UUID) -> Intact | Broken:
    async with pool.connection() as connection:
        return await verify(connection, space)


async def write(pool: AsyncPool, space: UUID, count: int) -> None:
    async with pool.connection() as connection, space_scope(connection, space):
        for number in range(count):
            await record(
                connection,
                Event(
                    EventName.READINGS_SEEN, space, SYSTEM, reason="é\N{OHM SIGN}", quantity=number,
                    details={"b": [f"{number}"], "a": number},
                ),
            )  # fmt: skip


async def test_rows_are_numbered_per_space_and_the_chain_verifies(world: World, app_pool: AsyncPool) -> None:
    one, other = world.space(), world.space()
    for _ in range(2):
        await write(app_pool, one, 3)
        await write(app_pool, other, 2)
    assert await checked(app_pool, one) == Intact(6)
    assert await checked(app_pool, other) == Intact(4)
    async with app_pool.connection() as connection:
        assert [entry.n for entry in await page(connection, one)] == [6, 5, 4, 3, 2, 1]


TAMPERING: dict[str, tuple[str, int]] = {
    "a reason": ("UPDATE gateway.journal SET reason = 'other' WHERE n = 3", 3),
    "a time": ("UPDATE gateway.journal SET at = at + interval '1 microsecond' WHERE n = 3", 3),
    "who it was": ("UPDATE gateway.journal SET actor_id = 'somebody' WHERE n = 2", 2),
    "a detail": ("UPDATE gateway.journal SET details = details || '{\"a\": 99}' WHERE n = 5", 5),
    "a row removed": ("DELETE FROM gateway.journal WHERE n = 4", 5),
    "the first removed": ("DELETE FROM gateway.journal WHERE n = 1", 2),
    "the last removed": ("DELETE FROM gateway.journal WHERE n = 6", 6),
    "all removed": ("DELETE FROM gateway.journal", 1),
    "a row put between": (
        (
            "UPDATE gateway.journal SET n = n + 1 WHERE n = 6;"
            " INSERT INTO gateway.journal SELECT space_id, 6, at, event, actor_kind, actor_id, actor_name, purpose,"
            " resource, quantity, outcome, reason, details, previous, hash FROM gateway.journal WHERE n = 5"
        ),
        6,
    ),
    "rows exchanged": (
        (
            "UPDATE gateway.journal SET n = 99 WHERE n = 2; UPDATE gateway.journal SET n = 2 WHERE n = 3;"
            " UPDATE gateway.journal SET n = 3 WHERE n = 99"
        ),
        2,
    ),
    "a hash made to fit its row": (
        (
            "UPDATE gateway.journal SET reason = 'other' WHERE n = 3;"
            " UPDATE gateway.journal j SET hash = gateway.journal_hash(j) WHERE n = 3"
        ),
        4,
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_by_the_owner_of_the_database_is_found(world: World, app_pool: AsyncPool, what: str) -> None:
    change, first = TAMPERING[what]
    space = world.space()
    await write(app_pool, space, 6)
    with psycopg.connect(world.owner_url, autocommit=True) as connection:
        connection.execute(change)
    assert await checked(app_pool, space) == Broken(first)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE gateway.journal SET reason = 'x'", "DELETE FROM gateway.journal", "TRUNCATE gateway.journal",
     "INSERT INTO gateway.journal SELECT * FROM gateway.journal", "UPDATE gateway.journal_head SET n = 0"],
)  # fmt: skip
async def test_the_application_can_append_and_nothing_else(world: World, app_pool: AsyncPool, statement: str) -> None:
    space = world.space()
    await write(app_pool, space, 1)
    async with app_pool.connection() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with space_scope(connection, space):
                await connection.execute(statement)
    assert await checked(app_pool, space) == Intact(1)


async def test_what_was_rolled_back_leaves_no_gap(world: World, app_pool: AsyncPool) -> None:
    space = world.space()
    await write(app_pool, space, 1)
    async with app_pool.connection() as connection:
        with pytest.raises(ZeroDivisionError):  # noqa: PT012  # what fails comes after what is undone
            async with space_scope(connection, space):
                await record(connection, Event(EventName.READINGS_SEEN, space, SYSTEM))
                raise ZeroDivisionError
    await write(app_pool, space, 1)
    assert await checked(app_pool, space) == Intact(2)


async def test_writers_at_the_same_time_make_one_chain(world: World, app_pool: AsyncPool) -> None:
    space = world.space()
    start = threading.Barrier(4)

    def work(_: int) -> None:
        with psycopg.connect(world.owner_url, autocommit=True) as connection:
            start.wait(10)
            for _ in range(20):
                with connection.transaction():
                    connection.execute("SELECT set_config('app.space', %s, true)", (str(space),))
                    connection.execute(
                        "SELECT gateway.journal_append(%s, 'a:b:c', 'system', NULL, NULL, NULL, NULL, NULL, 'permit',"
                        " NULL, NULL)",
                        (space,),
                    )

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert await checked(app_pool, space) == Intact(80)


async def test_the_syncs_of_a_device_are_one_row_an_hour_without_values(world: World, app_pool: AsyncPool) -> None:
    space = world.space()
    scale, other = world.device(space), world.device(space)
    for n in range(5):
        writer = world.writer()  # also from several workers
        for device in (scale, other):
            writer.commit([message(device, weight(f"7{n}.4321", AT, seq=n), weight("9999", AT))])
    rows = world.rows("SELECT * FROM gateway.journal WHERE space_id = %s ORDER BY n", space)
    assert [(row.event, row.actor_kind, row.actor_id) for row in rows] == [
        ("device:reading:store", "device", str(scale)),
        ("device:reading:store", "device", str(other)),
    ]
    assert ".4321" not in str(rows)
    world.rows("UPDATE gateway.device_activity SET hour = hour - interval '1 hour' WHERE space_id = %s", space)
    world.writer().commit([message(scale, weight("70", AT, seq=9))])
    assert await checked(app_pool, space) == Intact(3)


def test_two_batches_that_touch_the_same_journals_in_opposite_order_do_not_wait_for_each_other(world: World) -> None:
    spaces = [world.space() for _ in range(6)]
    forth = [world.device(space) for space in spaces]
    back = sorted((world.device(space) for space in spaces), reverse=True)
    for round_ in range(4):
        world.rows("DELETE FROM gateway.device_activity")
        start = threading.Barrier(2)

        def work(devices: list[UUID], n: int = round_, start: threading.Barrier = start) -> int:
            writer = world.writer()
            start.wait(10)
            return writer.commit([message(d, weight("70", AT, seq=n + 1)) for d in devices]).outcomes["stored"]

        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(work, (forth, back))) == [6, 6]
    assert world.one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
