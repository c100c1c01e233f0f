"""The questions "is this you?", and their answers. Which readings a space is asked about: gateway.inbox_windows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal, NamedTuple, get_args
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.devices.users import map_user, name_of
from device_gateway.errors import NotFound
from device_gateway.journal import Actor, Event, EventName, record
from device_gateway.metrics import METRICS
from device_gateway.readings.reading_id import EPOCH, INT8_MAX, MICROSECOND, microseconds
from device_gateway.readings.rows import KeptReading, Series, kept_reading
from device_gateway.readings.user_index import LAST_USER, UNKNOWN_USER

Part = Literal["own", "before", "other"]
NO_SERIES = UUID(int=0)  # what waits is in no space yet

GROUPS = "SELECT device_id, part, user_index, readings, moments, since, until FROM gateway.inbox_groups()"
# Columns as `rows.StoredRow` has them.
READINGS = """SELECT metric, 0 AS series, time, seq, value, value2, value3, decimals, offset_min, flags, 1 AS version,
  NULL AS context, false AS amended FROM gateway.inbox_readings(%s, %s, %s)"""
ACCEPT = """SELECT readings, stored, duplicate, corrected
  FROM gateway.inbox_accept(%s, %s, %s, %s::timestamptz[], %s::int8[])"""
DISCARD = "SELECT gateway.inbox_discard(%s, %s, %s, %s::timestamptz[], %s::int8[])"


class QuestionKey(NamedTuple):
    """Which question of a device.

    part  own: of a time when the space held it; before: from before, perhaps its former owner's; other: of a user who
          was another person last
    user  0 to 254, 255 where the device did not know who it was, None where it named no user
    """

    part: Part
    user: int | None

    def __str__(self) -> str:
        return f"{self.part}-{'none' if self.user is None else self.user}"

    @property
    def shows_values(self) -> bool:
        """What may be a former owner's, or another person's, is not shown."""
        return self.part == "own"

    @property
    def known_user(self) -> bool:
        return self.user is not None and self.user != UNKNOWN_USER


class MomentKey(NamedTuple):
    """One moment at which a device measured. `at_us`: microseconds since 1970."""

    at_us: int
    seq: int

    def __str__(self) -> str:
        return f"{self.at_us}.{self.seq}"


@dataclass(frozen=True)
class Question:
    """`readings` were taken at `moments` instants from `since` to `until`."""

    device: UUID
    name: str
    key: QuestionKey
    readings: int
    moments: int
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Moment:
    """What a device measured at once. `at` with the UTC offset of then."""

    key: MomentKey
    at: datetime
    readings: Sequence[KeptReading]


def question_key(text: str) -> QuestionKey:
    """The reverse of ``str(QuestionKey)``. Raises NotFound."""
    part, _, user = text.partition("-")
    for known in get_args(Part):
        if part == known and user == "none":
            return QuestionKey(known, None)
        if part == known and user.isascii() and user.isdecimal() and len(user) <= 3 and int(user) <= LAST_USER + 1:
            return QuestionKey(known, int(user))
    raise NotFound


def moment_key(text: str) -> MomentKey:
    """The reverse of ``str(MomentKey)``. Raises NotFound."""
    at, _, seq = text.partition(".")
    if not re.fullmatch(r"[0-9]{1,17}\.[0-9]{1,19}", text, re.ASCII) or int(seq) > INT8_MAX:
        raise NotFound
    return MomentKey(int(at), int(seq))


async def questions(connection: AsyncConnection[Row], space: UUID) -> list[Question]:
    """What `space` is asked, by device; of each device what was measured last comes first."""
    async with space_scope(connection, space):
        rows = await (await connection.execute(GROUPS)).fetchall()
        names = {device: await name_of(connection, device) or "" for device in {row.device_id for row in rows}}
    found = [
        Question(row.device_id, names[row.device_id], QuestionKey(row.part, row.user_index), *row[3:]) for row in rows
    ]
    return sorted(found, key=lambda one: (one.name, one.device, -one.until.timestamp(), str(one.key)))


async def moments(connection: AsyncConnection[Row], space: UUID, question: Question, limit: int) -> list[Moment]:
    """The newest `limit` moments of a question that shows values, newest first; of any other, none."""
    if not question.key.shows_values:
        return []
    async with space_scope(connection, space):
        rows = await (await connection.execute(READINGS, (question.device, question.key.user, limit))).fetchall()
    kept = [
        kept_reading(row, Series(0, NO_SERIES, METRICS[row.metric], question.device, None))
        for row in rows
        if row.metric in METRICS
    ]
    return [
        Moment(MomentKey(microseconds(at), seq), together[0].at, together)
        for (at, seq), readings in groupby(kept, key=lambda one: (one.at.astimezone(UTC), one.seq))
        if (together := list(readings))
    ]


async def accept(
    connection: AsyncConnection[Row],
    space: UUID,
    device: UUID,
    key: QuestionKey,
    actor: Actor,
    *,
    picked: Sequence[MomentKey] | None = None,
    later: bool = False,
) -> int:
    """ "This is me", to all of a question or to the `picked` moments; how many readings moved.

    later  so is every later reading of that user of the device
    Sent twice, the second time finds nothing more to do. Raises NotFound where this space may not say so,
    UserIsSomebody.
    """
    if key.part == "other" or (key.part == "before" and (later or picked is not None)):
        raise NotFound
    async with space_scope(connection, space):
        name = await _known(connection, device)
        if later:
            if key.user is None or key.user == UNKNOWN_USER:
                raise NotFound
            await map_user(connection, space, device, key.user, actor)
        row = await (await connection.execute(ACCEPT, (device, *key, *_columns(picked)))).fetchone()
        if row is None:
            return 0
        event = _event(EventName.INBOX_ACCEPTED, space, actor, device, name, row.readings)
        event.details.update(stored=row.stored, duplicate=row.duplicate, corrected=row.corrected)
        await record(connection, event)
    return int(row.readings)


async def discard(
    connection: AsyncConnection[Row],
    space: UUID,
    device: UUID,
    key: QuestionKey,
    actor: Actor,
    *,
    picked: Sequence[MomentKey] | None = None,
) -> int:
    """ "Not me", to all of a question or to the `picked` moments; how many readings are gone. Raises NotFound."""
    if key.part != "own" and picked is not None:
        raise NotFound
    async with space_scope(connection, space):
        name = await _known(connection, device)
        row = await (await connection.execute(DISCARD, (device, *key, *_columns(picked)))).fetchone()
        gone = int(row[0]) if row else 0
        if gone:
            await record(connection, _event(EventName.INBOX_DISCARDED, space, actor, device, name, gone))
    return gone


def _columns(picked: Sequence[MomentKey] | None) -> tuple[list[datetime] | None, list[int] | None]:
    if picked is None:
        return None, None
    return [EPOCH + one.at_us * MICROSECOND for one in picked], [one.seq for one in picked]


async def _known(connection: AsyncConnection[Row], device: UUID) -> str:
    name = await name_of(connection, device)
    if name is None:
        raise NotFound
    return name


def _event(  # noqa: PLR0917  # what, whose, who, of what
    name: EventName, space: UUID, actor: Actor, device: UUID, called: str, readings: int
) -> Event:
    return Event(name, space, actor, resource=f"Device/{device}", quantity=readings, details={"device": called})
