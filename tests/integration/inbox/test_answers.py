""" "Is this you?": who is asked, what is shown, and what becomes of the readings."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from ingest_world import World, glucose, message, outcomes, pressure, weight
from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.pool import Row, connect
from device_gateway.database.scoping import space_scope
from device_gateway.devices.users import UserIsSomebody, end_user, invite_user, join
from device_gateway.errors import NotFound
from device_gateway.ingest.batch import BatchWriter
from device_gateway.ingest.inbox import expire
from device_gateway.journal import Actor
from device_gateway.readings.inbox import (
    MomentKey,
    Question,
    QuestionKey,
    accept,
    discard,
    moment_key,
    moments,
    question_key,
    questions,
)
from device_gateway.readings.user_index import UNKNOWN_USER

Portal = AsyncConnection[Row]
Home = tuple[UUID, UUID, UUID]
ME = Actor("patient", "1", "Camille")
UNKNOWN = {"user-unknown": True}
BEFORE, STRANGE, SECOND = QuestionKey("before", None), QuestionKey("own", UNKNOWN_USER), QuestionKey("own", 2)


def values(world: World, space: UUID) -> list[float]:
    return [row.value for row in world.readings(space)]


def waiting(world: World, device: UUID) -> list[float]:
    return [row.value for row in world.inbox(device)]


def told(world: World, space: UUID, event: str) -> list[int | None]:
    """How many readings the rows of `event` in the journal of `space` speak of."""
    query = "SELECT quantity FROM gateway.journal WHERE space_id = %s AND event = %s ORDER BY n"
    return [row.quantity for row in world.rows(query, space, event)]


async def asked(portal: Portal, space: UUID) -> dict[str, tuple[int, int]]:
    """Readings and moments of each question."""
    return {str(one.key): (one.readings, one.moments) for one in await questions(portal, space)}


async def the_question(portal: Portal, space: UUID, key: QuestionKey) -> Question:
    [found] = [one for one in await questions(portal, space) if one.key == key]
    return found


def year_before(*kilograms: str) -> list[dict[str, object]]:
    """What a scale measured before `home` had it, once a day."""
    return [weight(kg, f"2025-06-{day:02}T07:00:00Z") for day, kg in enumerate(kilograms, 1)]


def guests(*kilograms: str, first_day: int = 1, user: object = None) -> list[dict[str, object]]:
    context = UNKNOWN if user is None else {"user-index": user}
    return [
        weight(kg, f"2026-01-{day:02}T07:00:00+01:00", context=context)
        for day, kg in enumerate(kilograms, first_day)
    ]  # fmt: skip


async def test_a_question_names_device_user_period_and_number(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, partner, scale = home
    cuff = pressure("120", "80", "2026-01-03T07:00:00+01:00", context=UNKNOWN)
    writer.commit([message(scale, *year_before("70", "71"), *guests("80", "81", "82"), cuff)])
    assert await asked(portal, holder) == {"own-255": (4, 3), "before-none": (2, 2)}
    question = await the_question(portal, holder, BEFORE)
    assert (question.name, str(question.since.date()), str(question.until.date())) == (
        "thing", "2025-06-01", "2025-06-02",
    )  # fmt: skip
    assert await questions(portal, partner) == []


async def test_values_are_shown_of_ones_own_time_and_never_of_a_former_owners(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, partner, scale = home
    sent = [*year_before("70"), *guests("80.50", "81.25"), guests("81.00", first_day=2)[0]]
    writer.commit([message(scale, *sent)])
    question = await the_question(portal, holder, STRANGE)
    shown = await moments(portal, holder, question, 10)
    assert [(one.at.hour, one.at.utcoffset(), one.readings[0].sent.value) for one in shown] == [
        (7, timedelta(hours=1), "81.00"), (7, timedelta(hours=1), "80.50"),
    ]  # fmt: skip
    assert [one.key for one in await moments(portal, holder, question, 1)] == [shown[0].key]
    assert await moments(portal, holder, await the_question(portal, holder, BEFORE), 10) == []
    assert await moments(portal, partner, question, 10) == []


async def test_what_one_accepts_is_ones_own_with_every_version_and_comes_as_a_duplicate_from_then_on(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, _, scale = home
    sent = [*guests("80", "81", user=2), guests("80.5", user=2)[0]]
    writer.commit([message(scale, *sent)])
    assert await accept(portal, holder, scale, SECOND, ME) == 2
    assert await accept(portal, holder, scale, SECOND, ME) == 0
    assert [(row.value, row.version) for row in world.readings(holder)] == [(80.5, 2), (81, 1)]
    assert world.history(holder) == [(80, 1)]
    assert waiting(world, scale) == []
    assert told(world, holder, "portal:inbox:accept") == [2]
    query = "SELECT details FROM gateway.journal WHERE event = 'portal:inbox:accept' AND space_id = %s"
    [row] = world.rows(query, holder)
    assert row.details == {"device": "thing", "stored": 2, "corrected": 1, "duplicate": 0}
    assert outcomes(writer.commit([message(scale, *sent)])) == ["duplicate"] * 3
    assert outcomes(writer.commit([message(scale, *guests("80.7", user=2))])) == ["corrected"], (
        "still the same person's"
    )
    assert outcomes(writer.commit([message(scale, *guests("82", user=2, first_day=9))])) == ["stored"]
    assert values(world, holder) == [80.7, 81]
    assert waiting(world, scale) == [82], "one answer is about what was asked"


async def test_an_answer_may_be_for_every_later_reading_of_that_user(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, _, scale = home
    writer.commit([message(scale, *guests("80", user=2))])
    assert await accept(portal, holder, scale, SECOND, ME, later=True) == 1
    writer.commit([message(scale, *guests("81", user=2, first_day=2), *guests("60", user=3, first_day=3))])
    assert values(world, holder) == [80, 81]
    assert await asked(portal, holder) == {"own-3": (1, 1)}
    assert world.rows("SELECT * FROM gateway.reading_answer WHERE device_id = %s", scale) == [], "the user says it all"
    for key in (STRANGE, QuestionKey("own", None)):
        with pytest.raises(NotFound):
            await accept(portal, holder, scale, key, ME, later=True)


async def test_single_moments_can_be_accepted_and_others_refused(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, _, scale = home
    fat = {**guests("80")[0], "metric": "body-fat", "unit": "%", "value": "22"}
    sent = [*guests("80", "81", "82"), fat]
    writer.commit([message(scale, *sent)])
    newest, _, oldest = await moments(portal, holder, await the_question(portal, holder, STRANGE), 10)
    assert await accept(portal, holder, scale, STRANGE, ME, picked=[oldest.key, MomentKey(0, 0)]) == 2
    assert await discard(portal, holder, scale, STRANGE, ME, picked=[newest.key]) == 1
    assert values(world, holder) == [80]
    assert [row.value for row in world.readings(holder, "body-fat")] == [22]
    assert waiting(world, scale) == [81]
    assert outcomes(writer.commit([message(scale, *sent)])) == ["duplicate"] * 4
    assert waiting(world, scale) == [81], "nobody is asked twice"
    assert told(world, holder, "portal:inbox:discard") == [1]
    assert await discard(portal, holder, scale, STRANGE, ME, picked=[newest.key]) == 0


async def test_a_history_from_before_the_holding_is_taken_as_a_whole_and_the_holding_begins_with_it(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, _, scale = home
    writer.commit([message(scale, *year_before("70", "71"))])
    with pytest.raises(NotFound):
        await accept(portal, holder, scale, BEFORE, ME, picked=[MomentKey(0, 0)])
    assert await accept(portal, holder, scale, BEFORE, ME) == 2
    assert values(world, holder) == [70, 71]
    days = "SELECT DISTINCT day::text FROM gateway.reading_day_dirty d JOIN gateway.series s ON s.id = d.series"
    named = {row.day for row in world.rows(f"{days} WHERE s.space_id = %s", holder)}
    assert {"2025-06-01", "2025-06-02"} <= named, "old days are rolled up again"
    assert str(world.one("SELECT lower(during)::date FROM gateway.device_holding WHERE device_id = %s", scale)) == (
        "2025-06-01"
    )
    between, earlier = weight("72", "2025-09-01T07:00:00Z"), weight("69", "2025-05-01T07:00:00Z")
    assert outcomes(writer.commit([message(scale, *year_before("70", "71"), between, earlier)])) == [
        "duplicate", "duplicate", "stored", "stored",
    ]  # fmt: skip
    assert values(world, holder) == [70, 71, 72]
    assert waiting(world, scale) == [69]


class GivenAway:
    """A meter that Ana had in spring and Ben has since July; in June it was nobody's."""

    def __init__(self, world: World) -> None:
        self.ana, self.ben = world.space(), world.space()
        self.id = world.device(self.ana, since="2025-03-01T00:00:00Z", until="2025-06-01T00:00:00Z")
        world.hold(self.id, self.ben, "2025-07-01T00:00:00Z")

    def memory(self) -> Sequence[dict[str, object]]:
        """One record a month, from January on: 101 mg/dL, 102 …"""
        return [glucose(str(100 + month), f"2025-{month:02}-10T08:00:00Z", seq=month) for month in range(1, 9)]


async def test_a_new_holder_is_not_asked_about_the_time_before_the_former_one(
    world: World, writer: BatchWriter, portal: Portal
) -> None:
    meter = GivenAway(world)
    writer.commit([message(meter.id, *meter.memory())])
    assert waiting(world, meter.id) == [101, 102, 106]
    assert await asked(portal, meter.ben) == {"before-none": (1, 1)}
    assert await asked(portal, meter.ana) == {}, "who holds it no more is not asked about before"
    assert await accept(portal, meter.ben, meter.id, BEFORE, ME) == 1
    assert await discard(portal, meter.ben, meter.id, BEFORE, ME) == 0
    assert waiting(world, meter.id) == [101, 102]
    assert [row.value for row in world.readings(meter.ben, "blood-glucose")] == [106, 107, 108]
    assert [row.value for row in world.readings(meter.ana, "blood-glucose")] == [103, 104, 105]


async def test_what_a_shared_scale_measured_in_the_former_owners_time_is_asked_of_the_former_owner(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, _, scale = home
    next_holder = world.space()
    world.release(scale, "2026-01-10T00:00:00Z")
    world.hold(scale, next_holder, "2026-01-10T00:00:00Z")
    writer.commit([message(scale, *guests("80"), *guests("50", first_day=20))])
    assert await asked(portal, holder) == await asked(portal, next_holder) == {"own-255": (1, 1)}
    assert await accept(portal, next_holder, scale, STRANGE, ME) == 1
    assert await accept(portal, holder, scale, STRANGE, ME) == 1
    assert (values(world, holder), values(world, next_holder)) == ([80], [50])


async def test_what_was_another_persons_user_is_neither_shown_nor_given_to_the_holder(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, partner, scale = home
    await join(portal, partner, await invite_user(portal, holder, scale, 2, ME, called="Noor", minutes=5), "B", ME)
    writer.commit([message(scale, *guests("60", user=2))])
    with pytest.raises(UserIsSomebody):
        await accept(portal, holder, scale, SECOND, ME, later=True)
    await end_user(portal, holder, scale, 2, ME)
    world.rows(
        "UPDATE gateway.device_user SET during = tstzrange(lower(during), '2026-01-10Z') WHERE device_id = %s", scale
    )
    writer.commit([message(scale, *guests("61", user=2, first_day=12))])
    other = QuestionKey("other", 2)
    assert await asked(portal, holder) == {"other-2": (1, 1)}
    question = await the_question(portal, holder, other)
    assert await moments(portal, holder, question, 10) == []
    with psycopg.connect(world.owner_url) as connection:
        connection.execute("SELECT set_config('app.space', %s, true)", (str(holder),))
        assert connection.execute("SELECT * FROM gateway.inbox_readings(%s, 2::int2, 10)", (scale,)).fetchall() == []
        accepted = "SELECT * FROM gateway.inbox_accept(%s, 'other', 2::int2, NULL, NULL)"
        assert connection.execute(accepted, (scale,)).fetchall() == []
    with pytest.raises(NotFound):
        await accept(portal, holder, scale, other, ME)
    assert await accept(portal, holder, scale, SECOND, ME) == 0
    assert await discard(portal, holder, scale, other, ME) == 1
    assert waiting(world, scale) == []
    assert values(world, partner) == [60]


async def test_nobody_answers_for_a_device_that_is_somebody_elses(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, stranger, scale = home
    writer.commit([message(scale, *year_before("70"), *guests("80"))])
    for key in (STRANGE, BEFORE):
        with pytest.raises(NotFound):
            await accept(portal, stranger, scale, key, ME)
        with pytest.raises(NotFound):
            await discard(portal, stranger, scale, key, ME)
        async with space_scope(portal, stranger):
            asked_for = (scale, *key)
            taken = await portal.execute("SELECT * FROM gateway.inbox_accept(%s, %s, %s, NULL, NULL)", asked_for)
            assert await taken.fetchall() == []
            gone = await portal.execute("SELECT gateway.inbox_discard(%s, %s, %s, NULL, NULL)", asked_for)
            assert await gone.fetchall() == [(0,)]
    assert waiting(world, scale) == [70, 80]
    assert told(world, holder, "portal:inbox:accept") == []


async def test_two_answers_at_once_are_one(
    postgres: EmbeddedPostgres, world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, _, scale = home
    writer.commit([message(scale, *guests(*[f"{kg}.5" for kg in range(60, 88)], user=2))])
    url = postgres.url("gateway_app", world.database)
    async with await AsyncConnection.connect(url, autocommit=True, row_factory=namedtuple_row) as another:
        answers = [accept(one, holder, scale, SECOND, ME, later=True) for one in (portal, another)]
        assert sorted(await asyncio.gather(*answers)) == [0, 28]
    assert len(values(world, holder)) == 28
    assert told(world, holder, "portal:inbox:accept") == [28]
    assert told(world, holder, "portal:device_user:map") == [None]


async def test_what_fails_on_the_way_changes_nothing(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, _, scale = home
    writer.commit([message(scale, *guests("80", user=2))])

    async def accept_and_fail() -> None:
        async with space_scope(portal, holder):
            await accept(portal, holder, scale, SECOND, ME, later=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await accept_and_fail()
    assert waiting(world, scale) == [80]
    assert values(world, holder) == []
    assert world.rows("SELECT * FROM gateway.device_user WHERE device_id = %s", scale) == []
    assert told(world, holder, "portal:inbox:accept") == []


async def test_what_nobody_answers_is_removed_after_its_time_and_those_asked_are_told_how_many(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, _, scale = home
    writer.commit([message(scale, *guests("80", "81", "82"), *year_before("70"))])
    await discard(portal, holder, scale, BEFORE, ME)
    long_ago = "received_at = received_at - interval '11 days'"
    world.rows(f"UPDATE gateway.reading_inbox SET {long_ago} WHERE device_id = %s AND value < 82", scale)
    world.rows("UPDATE gateway.reading_answer SET answered_at = now() - interval '11 days' WHERE NOT mine")
    writer.commit([message(scale, *guests("81.5", first_day=2))])  # a new version of one of them
    with connect(world.ingest_url, "gateway_ingest") as connection:
        assert expire(connection, 10) == 1
        assert expire(connection, 10) == 0
    assert waiting(world, scale) == [81, 81.5, 82]
    assert told(world, holder, "system:inbox:expire") == [1]
    assert outcomes(writer.commit([message(scale, *year_before("70"))])) == ["stored"], "so long is a refusal kept"


@pytest.mark.parametrize("text", ["", "own", "own-", "own-256", "own--1", "mine-1", "own-1-2", "own-²", "before-x"])
def test_a_question_that_was_never_asked_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        question_key(text)


@pytest.mark.parametrize("text", ["", "1", "1.", ".1", "-1.0", "1.9223372036854775808", "1.2.3", "²."])
def test_a_moment_that_is_none_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        moment_key(text)


@pytest.mark.parametrize("key", [BEFORE, STRANGE, SECOND, QuestionKey("other", 0)])
def test_keys_are_read_as_they_are_written(key: QuestionKey) -> None:
    assert question_key(str(key)) == key
    assert moment_key(str(MomentKey(1_780_000_000_000_000, 2**63 - 1))) == (1_780_000_000_000_000, 2**63 - 1)
