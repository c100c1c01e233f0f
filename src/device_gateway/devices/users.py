"""Persons who share a device that tells its users apart: "user 2 of this scale is me".

The holder says so of themselves. Another person needs the holder's consent, a code for that one user, and types it in
their own portal. See docs/decisions/012-whose-reading.md.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.database.pool import Row, open_pool
from device_gateway.database.scoping import enter_space, space_scope
from device_gateway.devices.claim_codes import code_hash, device_name, new_code
from device_gateway.devices.holdings import holding_name
from device_gateway.devices.models import model_name
from device_gateway.errors import ClaimRefused, GatewayError, NotFound
from device_gateway.journal import Actor, Event, EventName, record
from device_gateway.readings.user_index import LAST_USER
from device_gateway.settings import Settings

LEFT = "device_user:left"  # job: a holding ended, and with it who used the device
SHARED = """SELECT d.id FROM gateway.device d JOIN gateway.device_holding h ON h.device_id = d.id
  WHERE d.shared AND upper_inf(h.during)"""
PEOPLE = "SELECT user_index, mine, called, since, waiting FROM gateway.device_users(%s)"
MAP = "SELECT gateway.device_user_map(%s, %s) AS found"
END = "SELECT person, holder FROM gateway.device_user_end(%s, %s)"
IS_NOBODY = """SELECT NOT EXISTS (SELECT FROM gateway.device_users(%s) u WHERE u.user_index = %s AND u.mine IS NOT NULL)
  AS nobody"""
NEW_CODE = """INSERT INTO gateway.device_user_code (hash, space_id, device_id, user_index, called, expires_at)
  VALUES (%s, %s, %s, %s, %s, %s)"""
REDEEM = "SELECT device_id, user_index, holder, called, readings FROM gateway.device_user_redeem(%s, %s)"
USED = """SELECT u.device_id, d.model, u.user_index, u.name, lower(u.during) AS since
  FROM gateway.device_user u JOIN gateway.device d ON d.id = u.device_id
  WHERE upper_inf(u.during) AND u.name IS NOT NULL ORDER BY u.name, u.device_id, u.user_index"""
# As this space calls the device: its holder's name for it, or the user's.
NAME = """SELECT name FROM (
    SELECT h.name, upper(h.during) AS until FROM gateway.device_holding h WHERE h.device_id = %s
    UNION ALL SELECT u.name, upper(u.during) FROM gateway.device_user u WHERE u.device_id = %s AND u.name IS NOT NULL) n
  ORDER BY until DESC NULLS FIRST LIMIT 1"""


class BadUser(GatewayError):
    """A user of a device has a number from 0 to 254."""

    http_status = 422


class UserIsSomebody(GatewayError):
    """This user of the device is another person: end that first."""

    http_status = 409


@dataclass(frozen=True)
class DevicePerson:
    """A user of a device that the space holds.

    mine     whether the user is the holder; None: nobody yet
    called   what the holder calls the other person
    waiting  readings in the inbox "is this you?"
    """

    user: int
    mine: bool | None
    called: str | None
    since: datetime | None
    waiting: int


@dataclass(frozen=True)
class UsedDevice:
    """A device that somebody else holds, and that knows this person as `user`."""

    id: UUID
    model_name: str
    user: int
    name: str
    since: datetime | None


@dataclass(frozen=True)
class Joined:
    """`readings` had waited for the person, and came along."""

    device: UUID
    user: int
    readings: int


async def shared_devices(connection: AsyncConnection[Row], space: UUID) -> frozenset[UUID]:
    """Devices that `space` holds now and that tell their users apart."""
    async with space_scope(connection, space):
        return frozenset(row.id for row in await (await connection.execute(SHARED)).fetchall())


async def people_of(connection: AsyncConnection[Row], space: UUID, device: UUID) -> list[DevicePerson]:
    """The users of `device` that are somebody, or that measurements wait for; none unless `space` holds it."""
    async with space_scope(connection, space):
        rows = await (await connection.execute(PEOPLE, (device,))).fetchall()
    return [DevicePerson(*row) for row in rows]


async def used_devices(connection: AsyncConnection[Row], space: UUID) -> list[UsedDevice]:
    """Devices of others that know the person of `space`."""
    async with space_scope(connection, space):
        rows = await (await connection.execute(USED)).fetchall()
    return [UsedDevice(row.device_id, model_name(row.model), row.user_index, row.name, row.since) for row in rows]


async def name_of(connection: AsyncConnection[Row], device: UUID) -> str | None:
    """What the space that `connection` is in calls a device that it holds, held or uses."""
    row = await (await connection.execute(NAME, (device, device))).fetchone()
    return str(row.name) if row else None


async def map_user(connection: AsyncConnection[Row], space: UUID, device: UUID, user: int, actor: Actor) -> None:
    """User `user` of `device` is its holder. Said twice, nothing more happens.

    Raises BadUser, UserIsSomebody or NotFound.
    """
    _check(user)
    async with space_scope(connection, space):
        [row] = await (await connection.execute(MAP, (device, user))).fetchall()
        if row.found == "none":
            raise NotFound
        if row.found == "taken":
            raise UserIsSomebody
        if row.found == "mapped":
            await _tell(connection, EventName.DEVICE_USER_MAPPED, space, actor, device, user)


async def invite_user(
    connection: AsyncConnection[Row], space: UUID, device: UUID, user: int, actor: Actor, *, called: str, minutes: int
) -> str:
    """A code, valid for `minutes`, with which another person becomes user `user` of a device that `space` holds.

    called  what the holder calls that person
    Raises BadUser, BadDeviceName (of `called`), UserIsSomebody or NotFound.
    """
    _check(user)
    called = device_name(called)
    code, until = new_code(), datetime.now(UTC) + timedelta(minutes=minutes)
    async with space_scope(connection, space):
        if await holding_name(connection, device) is None:
            raise NotFound
        [row] = await (await connection.execute(IS_NOBODY, (device, user))).fetchall()
        if not row.nobody:
            raise UserIsSomebody
        await connection.execute(NEW_CODE, (code_hash(code), space, device, user, called, until))
        await _tell(connection, EventName.DEVICE_USER_INVITED, space, actor, device, user, called=called)
    return code


async def join(connection: AsyncConnection[Row], space: UUID, code: str, name: str, actor: Actor) -> Joined:
    """With the holder's code: the person of `space` is that user, and calls the device `name`. What waited comes along.

    Both are told in their journals. Raises ClaimRefused or BadDeviceName.
    """
    name = device_name(name)
    async with space_scope(connection, space):
        row = await (await connection.execute(REDEEM, (code_hash(code), name))).fetchone()
        if row is None:
            raise ClaimRefused
        device, user = row.device_id, row.user_index
        await _tell(connection, EventName.DEVICE_USER_JOINED, space, actor, device, user, readings=row.readings)
        await enter_space(connection, row.holder)
        by = Actor("system")
        await _tell(connection, EventName.DEVICE_USER_CODE_USED, row.holder, by, device, user, called=row.called)
    return Joined(device, user, row.readings)


async def end_user(connection: AsyncConnection[Row], space: UUID, device: UUID, user: int, actor: Actor) -> bool:
    """User `user` is nobody from now on; by the holder or by the person. Whether the user was somebody.

    Both are told in their journals.
    """
    async with space_scope(connection, space):
        row = await (await connection.execute(END, (device, user))).fetchone()
        if row is None:
            return False
        await _tell(connection, EventName.DEVICE_USER_ENDED, space, actor, device, user)
        for other in {row.person, row.holder} - {space}:
            await enter_space(connection, other)
            await _tell(connection, EventName.DEVICE_USER_LEFT, other, Actor("system"), device, user)
    return True


async def tell_left(settings: Settings, payload: dict[str, Any]) -> None:
    """The job: a person is told that they are no longer a user of a device, since its holder holds it no more."""
    space, device, user = UUID(payload["space"]), UUID(payload["device"]), int(payload["user"])
    pool = open_pool(settings.required("database_url"), "gateway_app", size=2)
    async with pool, pool.connection() as connection, space_scope(connection, space):
        await _tell(connection, EventName.DEVICE_USER_LEFT, space, Actor("system"), device, user)


def _check(user: int) -> None:
    if not 0 <= user <= LAST_USER:
        raise BadUser


async def _tell(  # noqa: PLR0917  # what, whose, who, of what
    connection: AsyncConnection[Row],
    name: EventName,
    space: UUID,
    actor: Actor,
    device: UUID,
    user: int,
    *,
    called: str | None = None,
    readings: int | None = None,
) -> None:
    details: dict[str, str | int | list[str]] = {"device": await name_of(connection, device) or "", "user": user}
    if called:
        details["called"] = called
    event = Event(name, space, actor, resource=f"Device/{device}", quantity=readings, details=details)
    await record(connection, event)
