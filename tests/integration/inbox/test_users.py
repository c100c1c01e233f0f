"""A scale that several people stand on: each reading goes to the person who is that user of it, or to nobody."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from ingest_world import World, lines, message, outcomes, weight
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row
from device_gateway.devices.users import (
    BadUser,
    DevicePerson,
    UserIsSomebody,
    end_user,
    invite_user,
    join,
    map_user,
    people_of,
    used_devices,
)
from device_gateway.errors import ClaimRefused, NotFound
from device_gateway.ingest.batch import BatchWriter
from device_gateway.ingest.inbox import keep
from device_gateway.ingest.placing import Unassigned
from device_gateway.journal import Actor
from device_gateway.readings.model import CORRECTED, DUPLICATE, STORED
from device_gateway.readings.packed import ReadingRow
from device_gateway.readings.put import to_microseconds

Portal = AsyncConnection[Row]
Home = tuple[UUID, UUID, UUID]
ME = Actor("patient", "1", "Camille")


def by_user(value: str, day: int, user: object = None, **more: object) -> dict[str, object]:
    """A weight of January 2026, with the user that the scale names."""
    context = {"user-unknown": True} if user == 255 else {} if user is None else {"user-index": user}
    return weight(value, f"2026-01-{day:02}T07:00:00Z", **({"context": context} if context else {}), **more)


def values(world: World, space: UUID) -> list[float]:
    return [row.value for row in world.readings(space)]


def waiting(world: World, device: UUID) -> list[float]:
    return [row.value for row in world.inbox(device)]


def journal(world: World, space: UUID) -> list[str]:
    return [row.event for row in world.rows("SELECT event FROM gateway.journal WHERE space_id = %s ORDER BY n", space)]


async def is_partner(portal: Portal, home: Home, user: int = 2) -> None:
    holder, partner, scale = home
    code = await invite_user(portal, holder, scale, user, ME, called="Noor", minutes=15)
    await join(portal, partner, code.lower().replace("-", " "), "Balance", ME)


async def test_each_of_two_people_gets_their_own_and_a_guest_is_nobody(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, partner, scale = home
    await map_user(portal, holder, scale, 1, ME)
    await is_partner(portal, home)
    sent = [by_user("80", 1, 1), by_user("60", 2, 2), by_user("70", 3, 3), by_user("71", 4, 255), by_user("72", 5)]
    assert outcomes(writer.commit([message(scale, *sent)])) == ["stored"] * 5
    assert values(world, holder) == [80]
    assert values(world, partner) == [60]
    assert waiting(world, scale) == [70, 71, 72], "a user that is nobody, an unknown one, and none on a shared scale"
    assert outcomes(writer.commit([message(scale, *sent)])) == ["duplicate"] * 5
    assert {tuple(line) for line in lines(writer.commit([message(scale, *sent)]))} == {("index", "outcome")}


async def test_a_device_that_names_no_user_is_its_holders_alone(world: World, writer: BatchWriter, home: Home) -> None:
    holder, _, scale = home
    writer.commit([message(scale, by_user("80", 1), weight("81", "2026-01-02T07:00:00Z", context={"clothes": "none"}))])
    assert values(world, holder) == [80, 81]
    assert not world.one("SELECT shared FROM gateway.device WHERE id = %s", scale)


async def test_the_first_reading_that_names_a_user_asks_whose_it_is_and_so_do_those_that_follow(
    world: World, writer: BatchWriter, home: Home
) -> None:
    holder, _, scale = home
    writer.commit([message(scale, by_user("80", 1))])
    writer.commit([message(scale, by_user("79", 2, 1))])
    writer.commit([message(scale, by_user("61", 3))])
    assert values(world, holder) == [80]
    assert waiting(world, scale) == [79, 61]
    assert world.one("SELECT count(*) FROM gateway.series WHERE space_id = %s", holder) == 1


@pytest.mark.parametrize("user", [-1, 256, 2**40, "1", True])
async def test_a_user_that_makes_no_sense_is_unknown(
    world: World, writer: BatchWriter, portal: Portal, home: Home, user: object
) -> None:
    holder, _, scale = home
    await map_user(portal, holder, scale, 1, ME)
    assert outcomes(writer.commit([message(scale, by_user("80", 1, user))])) == ["stored"]
    assert values(world, holder) == []
    assert world.rows(
        "SELECT gateway.reading_user(context) FROM gateway.reading_inbox WHERE device_id = %s", scale
    ) == [(255,)]


async def test_who_a_user_was_at_the_time_counts_and_not_who_it_is_now(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, partner, scale = home
    await map_user(portal, holder, scale, 2, ME)
    world.rows(
        "UPDATE gateway.device_user SET during = tstzrange(lower(during), '2026-01-10Z') WHERE device_id = %s", scale
    )
    await is_partner(portal, home)
    late = [by_user("60", 11, 2), by_user("80", 9, 2)]
    assert outcomes(writer.commit([message(scale, *late)])) == ["stored"] * 2
    assert values(world, holder) == [80]
    assert values(world, partner) == [60]


async def test_a_corrected_reading_of_a_person_is_corrected_with_that_person(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    _, partner, scale = home
    await is_partner(portal, home)
    sent = [by_user(value, 1, 2) for value in ("60", "61", "60")]
    assert outcomes(writer.commit([message(scale, *sent)])) == ["stored", "corrected", "duplicate"]
    assert values(world, partner) == [61]


async def test_what_waited_comes_along_with_the_code(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, partner, scale = home
    old = {**by_user("59", 1, 2), "at": "2025-12-24T07:00:00Z"}
    writer.commit([message(scale, old, by_user("60", 1, 2), by_user("60.5", 1, 2), by_user("80", 2, 1))])
    code = await invite_user(portal, holder, scale, 2, ME, called="Noor", minutes=15)
    joined = await join(portal, partner, code, "Balance", ME)
    assert (joined.device, joined.user, joined.readings) == (scale, 2, 1)
    assert [(row.value, row.version) for row in world.readings(partner)] == [(60.5, 2)]
    assert world.history(partner) == [(60, 1)]
    assert waiting(world, scale) == [59, 80], "neither what the holder did not hold it for, nor another user's"
    assert journal(world, partner) == ["portal:device_user:join"]
    assert journal(world, holder)[-2:] == ["portal:device_user:invite", "portal:device_user:use"]


async def test_a_code_works_once_for_somebody_else_while_its_giver_holds_the_device(
    world: World, portal: Portal, home: Home
) -> None:
    holder, partner, scale = home
    code = await invite_user(portal, holder, scale, 2, ME, called="Noor", minutes=15)
    with pytest.raises(ClaimRefused):
        await join(portal, holder, code, "Balance", ME)
    await join(portal, partner, code, "Balance", ME)
    with pytest.raises(ClaimRefused):
        await join(portal, world.space(), code, "Balance", ME)
    with pytest.raises(UserIsSomebody):
        await invite_user(portal, holder, scale, 2, ME, called="Nina", minutes=15)
    other = await invite_user(portal, holder, scale, 3, ME, called="Nina", minutes=15)
    world.rows("UPDATE gateway.device_user_code SET expires_at = now() WHERE used_at IS NULL")
    with pytest.raises(ClaimRefused):
        await join(portal, world.space(), other, "Balance", ME)
    other = await invite_user(portal, holder, scale, 3, ME, called="Nina", minutes=15)
    world.release(scale, "2026-02-01T00:00:00Z")
    with pytest.raises(ClaimRefused):
        await join(portal, world.space(), other, "Balance", ME)


async def test_only_the_holder_says_who_uses_a_device(world: World, portal: Portal, home: Home) -> None:
    holder, partner, scale = home
    with pytest.raises(NotFound):
        await map_user(portal, partner, scale, 1, ME)
    with pytest.raises(NotFound):
        await invite_user(portal, partner, scale, 1, ME, called="Noor", minutes=15)
    with pytest.raises(BadUser):
        await map_user(portal, holder, scale, 255, ME)
    await map_user(portal, holder, scale, 1, ME)
    await map_user(portal, holder, scale, 1, ME)
    await is_partner(portal, home)
    with pytest.raises(UserIsSomebody):
        await map_user(portal, holder, scale, 2, ME)
    people = await people_of(portal, holder, scale)
    assert [(one.user, one.mine, one.called) for one in people] == [(1, True, None), (2, False, "Noor")]
    assert await people_of(portal, partner, scale) == []
    assert [(one.id, one.user, one.name) for one in await used_devices(portal, partner)] == [(scale, 2, "Balance")]
    assert await used_devices(portal, holder) == []
    assert not await end_user(portal, world.space(), scale, 2, ME)
    assert journal(world, holder).count("portal:device_user:map") == 1


@pytest.mark.parametrize("by_the_holder", [True, False])
async def test_an_end_is_told_to_both_and_what_comes_then_is_not_given_to_the_holder(
    world: World, writer: BatchWriter, portal: Portal, home: Home, by_the_holder: bool
) -> None:
    holder, partner, scale = home
    await is_partner(portal, home)
    assert await end_user(portal, holder if by_the_holder else partner, scale, 2, ME)
    assert not await end_user(portal, holder, scale, 2, ME)
    world.rows(
        "UPDATE gateway.device_user SET during = tstzrange(lower(during), '2026-01-10Z') WHERE device_id = %s", scale
    )
    writer.commit([message(scale, by_user("60", 11, 2))])
    await map_user(portal, holder, scale, 2, ME)
    assert outcomes(writer.commit([message(scale, by_user("60", 11, 2), by_user("61", 9, 2))])) == [
        "duplicate", "stored",
    ]  # fmt: skip
    assert values(world, partner) == [61]
    assert waiting(world, scale) == [60]
    assert [person for person in await people_of(portal, holder, scale) if person.waiting] == [
        DevicePerson(2, True, None, (await people_of(portal, holder, scale))[0].since, 1)
    ]
    ended = {holder: "portal:device_user:end", partner: "portal:device_user:leave"}
    if not by_the_holder:
        ended = {holder: "portal:device_user:leave", partner: "portal:device_user:end"}
    assert all(event in journal(world, space) for space, event in ended.items())


async def test_users_end_with_the_holding_and_the_next_holder_begins_anew(
    world: World, writer: BatchWriter, portal: Portal, home: Home
) -> None:
    holder, partner, scale = home
    await map_user(portal, holder, scale, 1, ME)
    await is_partner(portal, home)
    world.release(scale, "2026-01-10T00:00:00Z")
    next_holder = world.space()
    world.hold(scale, next_holder, "2026-01-10T00:00:00Z")
    sent = [by_user("80", 9, 1), by_user("60", 9, 2, seq=1), by_user("90", 11, 1), by_user("50", 11, 2, seq=1)]
    writer.commit([message(scale, *sent)])
    assert (values(world, holder), values(world, partner), values(world, next_holder)) == ([80], [60], [])
    await map_user(portal, next_holder, scale, 1, ME)
    writer.commit([message(scale, by_user("91", 12, 1))])
    assert values(world, next_holder) == [91]


async def test_a_person_who_became_a_user_since_a_batch_looked_gets_the_reading_all_the_same(
    world: World, portal: Portal, home: Home
) -> None:
    _, partner, scale = home
    await is_partner(portal, home)
    at = to_microseconds(datetime(2026, 1, 1, 7, tzinfo=UTC))
    rows: list[ReadingRow] = [
        (0, at, 0, kg, 0, 0, 1, None, None, Jsonb({"user-index": 2})) for kg in (60.0, 61.0, 60.0)
    ]
    with world.connect() as connection, connection.transaction():
        told = keep(connection, [Unassigned(scale, "body-weight", row) for row in rows])
    assert told == [STORED, CORRECTED, DUPLICATE]
    assert values(world, partner) == [61]
    assert waiting(world, scale) == []
