"""The inbox "is this you?": readings that are nobody's by what is written down, and what was answered about them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.ingest.placing import Unassigned
from device_gateway.journal import Actor, Event, EventName, record_in_worker
from device_gateway.readings.model import CORRECTED, DUPLICATE, STORED, Outcome
from device_gateway.readings.put import IDENTITY, from_microseconds
from device_gateway.readings.user_index import user_of

NEW = """
INSERT INTO gateway.reading_inbox AS i
  (device_id, metric, time, seq, version, value, value2, value3, decimals, offset_min, flags, context)
SELECT x.device_id, x.metric, x.time, x.seq, coalesce(max(k.version), 0) + 1, x.value, x.value2, x.value3, x.decimals,
  x.offset_min, x.flags, x.context
FROM (VALUES (%s::uuid, %s::text, %s::timestamptz, %s::int8, %s::float8, %s::float8, %s::float8, %s::int2, %s::int2,
    %s::int2, %s::jsonb))
    AS x (device_id, metric, time, seq, value, value2, value3, decimals, offset_min, flags, context)
  LEFT JOIN gateway.reading_inbox k USING (device_id, metric, time, seq)
GROUP BY x.device_id, x.metric, x.time, x.seq, x.value, x.value2, x.value3, x.decimals, x.offset_min, x.flags, x.context
HAVING NOT coalesce(bool_or((k.value, k.value2, k.value3, k.decimals, k.flags, k.context)
  IS NOT DISTINCT FROM (x.value, x.value2, x.value3, x.decimals, x.flags, x.context)), false)
RETURNING i.version"""
# While this lasts nobody answers a question about the devices: see gateway.inbox_lock.
LOCK = """SELECT pg_advisory_xact_lock_shared(hashtext('gateway.reading_inbox'), hashtext(d.id))
  FROM (SELECT unnest(%b::text[]) AS id ORDER BY 1) d"""
SHARED = "UPDATE gateway.device SET shared = true WHERE id = ANY(%b::uuid[]) AND NOT shared"
# What was answered, also since the batch looked the devices up.
ANSWERS = """SELECT x.place, o.space_id IS NOT NULL OR a.mine AS mine, coalesce(o.space_id, a.space_id) AS space_id
FROM unnest(%b::uuid[], %b::text[], %b::timestamptz[], %b::int8[], %b::int2[]) WITH ORDINALITY
    AS x (device_id, metric, time, seq, user_index, place)
  CROSS JOIN LATERAL (SELECT gateway.reading_owner(x.device_id, x.time, x.user_index) AS space_id) o
  LEFT JOIN gateway.reading_answer a USING (device_id, metric, time, seq)"""
PUT = """SELECT stored, duplicate, corrected
  FROM gateway.inbox_put(%s, %s, ARRAY[%s::text], ARRAY[%s::timestamptz], ARRAY[%s::int8])"""
# Whole identities, each told to the space that was asked about it: see gateway.inbox_windows.
EXPIRE = """WITH gone AS (
    DELETE FROM gateway.reading_inbox i WHERE i.received_at < now() - make_interval(days => %s)
      AND NOT EXISTS (SELECT FROM gateway.reading_inbox k
        WHERE (k.device_id, k.metric, k.time, k.seq) = (i.device_id, i.metric, i.time, i.seq)
          AND k.received_at >= now() - make_interval(days => %s))
    RETURNING i.device_id, i.metric, i.time, i.seq)
SELECT g.device_id, h.space_id, h.name, count(DISTINCT (g.metric, g.time, g.seq)) AS readings
FROM gone g LEFT JOIN LATERAL (
    SELECT h.space_id, h.name FROM gateway.device_holding h
    WHERE h.device_id = g.device_id AND (upper_inf(h.during) OR upper(h.during) > g.time)
    ORDER BY lower(h.during) NULLS FIRST LIMIT 1) h ON true
GROUP BY g.device_id, h.space_id, h.name ORDER BY h.space_id, g.device_id"""
FORGET_REFUSED = """DELETE FROM gateway.reading_answer
  WHERE NOT mine AND answered_at < now() - make_interval(days => %s)"""

FORGET_CODES = "DELETE FROM gateway.device_user_code WHERE expires_at < now() - interval '1 day'"


class Answer(NamedTuple):
    """`mine`: of that space. Otherwise somebody said that it is not theirs, and nobody is asked again."""

    space: UUID
    mine: bool


def keep(connection: Connection[Row], unassigned: Sequence[Unassigned]) -> list[Outcome]:
    """Keep what is nobody's, told apart as in the table `reading`. What was answered before goes where the answer says.

    A device that named a user is from now on one that several people use.
    """
    outcomes: list[Outcome] = [DUPLICATE] * len(unassigned)
    if not unassigned:
        return outcomes
    connection.execute(LOCK, (sorted({str(entry.device) for entry in unassigned}),))
    users = [user_of(entry.row[-1].obj) if entry.row[-1] else None for entry in unassigned]
    if shared := {entry.device for entry, user in zip(unassigned, users, strict=True) if user is not None}:
        connection.execute(SHARED, (sorted(shared),))
    answers = _answers(connection, unassigned, users)
    # One order for all writers; equal identities stay in the order of arrival.
    for place, entry in sorted(enumerate(unassigned), key=lambda e: (e[1].device, e[1].metric, *IDENTITY(e[1].row))):
        answer = answers.get(place)
        if answer and not answer.mine:
            continue
        version = _put(connection, entry)
        if version and answer:
            outcomes[place] = _pass_on(connection, entry, answer.space)
        elif version:
            outcomes[place] = STORED if version == 1 else CORRECTED
    return outcomes


def expire(connection: Connection[Row], days: int) -> int:
    """Delete what nobody answered for `days`, and tell whom it was asked of how many; returns how many readings.

    Refusals that old go too, and codes for users of devices that ran out.
    """
    expired = 0
    with connection.transaction():
        for row in connection.execute(EXPIRE, (days, days)).fetchall():
            expired += row.readings
            if row.space_id:
                connection.execute("SELECT set_config('app.space', %s, true)", (str(row.space_id),))
                event = Event(
                    EventName.INBOX_EXPIRED, row.space_id, Actor("system"), resource=f"Device/{row.device_id}",
                    quantity=row.readings, details={"device": row.name},
                )  # fmt: skip
                record_in_worker(connection, event)
        connection.execute(FORGET_REFUSED, (days,))
        connection.execute(FORGET_CODES)
    return expired


def _answers(
    connection: Connection[Row], unassigned: Sequence[Unassigned], users: Sequence[int | None]
) -> Mapping[int, Answer]:
    rows = [entry.row for entry in unassigned]
    found = connection.execute(
        ANSWERS,
        (
            [entry.device for entry in unassigned], [entry.metric for entry in unassigned],
            [from_microseconds(row[1]) for row in rows], [row[2] for row in rows], list(users),
        ),
    )  # fmt: skip
    return {row.place - 1: Answer(row.space_id, row.mine) for row in found if row.space_id}


def _put(connection: Connection[Row], entry: Unassigned) -> int:
    """The version that `entry` is now; 0 when the inbox has its content already."""
    _, instant, seq, value, decimals, offset_min, flags, value2, value3, context = entry.row
    text = None if context is None else msgspec.json.encode(context.obj).decode()
    written = connection.execute(
        NEW,
        (
            entry.device, entry.metric, from_microseconds(instant), seq, value, value2, value3, decimals, offset_min,
            flags, text,
        ),
    ).fetchone()  # fmt: skip
    return written.version if written else 0


def _pass_on(connection: Connection[Row], entry: Unassigned, space: UUID) -> Outcome:
    """From the inbox into the space, as when it was accepted."""
    at, seq = from_microseconds(entry.row[1]), entry.row[2]
    [row] = connection.execute(PUT, (entry.device, space, entry.metric, at, seq)).fetchall()
    return CORRECTED if row.corrected else STORED if row.stored else DUPLICATE
