"""What an edge tells of a device that its holder should know: in the journal, whence the portal has it, too."""

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from psycopg import Connection

from device_gateway.database.pool import Row
from device_gateway.ingest.edge_events import EdgeEvent, Told
from device_gateway.journal import Actor, Event, EventName, record_in_worker

SESSIONS: Final[Mapping[str, EventName]] = {
    "waiting": EventName.SENSOR_WAITS,
    "warming-up": EventName.SENSOR_WARMS_UP,
    "running": EventName.SENSOR_MEASURES,
    "expired": EventName.SENSOR_EXPIRED,
    "ended": EventName.SENSOR_ENDED,
    "refused": EventName.SENSOR_NOT_STARTED,
}
REFUSALS: Final[Mapping[str, EventName]] = {
    "key_wrong": EventName.BIND_KEY_WRONG,
    "consent_wanted": EventName.CONSENT_WANTED,
}
MOST_MISSING: Final = 0x10000  # records of a memory; more is an edge gone wild

HOLDER = """SELECT d.id, d.model, h.space_id FROM gateway.device d
  JOIN gateway.device_holding h ON h.device_id = d.id AND upper_inf(h.during)
  WHERE d.parent_id = %s AND %s IN (d.id::text, d.hardware_id)"""


def save(connection: Connection[Row], told: Iterable[Told]) -> None:
    """Within the transaction of the batch. What is said of a device that the sender does not carry is not told."""
    found = []
    for sender, what in told:
        if isinstance(what, EdgeEvent) and (news := _news(what)) is not None:
            name, quantity = news
            row = connection.execute(HOLDER, (sender, what.details.get("device"))).fetchone()
            if row is not None:
                found.append((row.space_id, row.id, row.model, name, quantity))
    for space, device, model, name, quantity in sorted(found, key=_by_space):  # one order for all writers of journals
        connection.execute("SELECT set_config('app.space', %s, true)", (str(space),))
        event = Event(name, space, Actor("device", str(device), model), quantity=quantity)
        record_in_worker(connection, event)


def _news(what: EdgeEvent) -> tuple[EventName, int | None] | None:
    """What the journal says of it, and how many; None where it says nothing."""
    if what.event == "session":
        name = SESSIONS.get(str(what.details.get("state")))
        return None if name is None else (name, None)
    if what.event in REFUSALS:
        return REFUSALS[what.event], None
    missing = what.details.get("missing")
    if what.event == "contact" and type(missing) is int and 0 < missing <= MOST_MISSING:
        return EventName.READINGS_MISSING, missing
    return None


def _by_space(one: tuple[UUID, UUID, str, EventName, int | None]) -> UUID:
    return one[0]
