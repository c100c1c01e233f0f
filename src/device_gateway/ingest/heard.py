"""Names of devices that a hub spoke for and nobody has registered: offered to the hub's holder, without any value."""

from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.metrics import METRICS

MOST_NAMES: Final = 100  # of a hub: a neighbourhood's devices, not a flood of made-up ones
LONGEST_NAME: Final = 64  # what can be registered
KEEP_DAYS: Final = 30

NOTE = f"""WITH given AS (
    SELECT g.*, EXISTS (SELECT FROM gateway.heard_device k WHERE k.hub_id = g.h AND k.name = g.n) AS known
    FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::int8[]) AS g (h, n, d, m, c)),
  x AS (SELECT given.*, row_number() OVER (PARTITION BY h, known ORDER BY n) AS place FROM given)
  INSERT INTO gateway.heard_device AS h (hub_id, name, dialect, metrics, seen)
  SELECT x.h, x.n, x.d, string_to_array(x.m, ' '), x.c
  FROM x JOIN gateway.device ON device.id = x.h
  WHERE x.known
    OR x.place + (SELECT count(*) FROM gateway.heard_device k WHERE k.hub_id = x.h) <= {MOST_NAMES}
  ON CONFLICT (hub_id, name) DO UPDATE SET seen = h.seen + excluded.seen, last_at = now(), dialect = excluded.dialect,
    metrics = ARRAY(SELECT DISTINCT m FROM unnest(h.metrics || excluded.metrics) AS m ORDER BY m)"""
EXPIRE = f"DELETE FROM gateway.heard_device WHERE last_at < now() - interval '{KEEP_DAYS} days'"


class Heard(NamedTuple):
    """One reading of a device that is not registered."""

    hub: UUID
    dialect: str
    name: str
    metric: str


def note(connection: Connection[Row], heard: Iterable[Heard]) -> None:
    """Keep the names inside the transaction that is open."""
    found: dict[tuple[UUID, str], tuple[str, set[str], int]] = {}
    for one in heard:
        if one.metric not in METRICS or not 1 <= len(one.name) <= LONGEST_NAME or not one.name.isprintable():
            continue
        _, metrics, count = found.get((one.hub, one.name), ("", set(), 0))
        found[one.hub, one.name] = (one.dialect, metrics | {one.metric}, count + 1)
    if not found:
        return
    rows = sorted(found.items())
    connection.execute(
        NOTE,
        (
            [key[0] for key, _ in rows], [key[1] for key, _ in rows], [value[0] for _, value in rows],
            [" ".join(sorted(value[1])) for _, value in rows], [value[2] for _, value in rows],
        ),
    )  # fmt: skip


def expire(connection: Connection[Row]) -> int:
    """Forget what was not heard for long; returns how many names."""
    return connection.execute(EXPIRE).rowcount
