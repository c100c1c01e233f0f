"""What an edge tells beside readings: ``…/event`` (contact, bonds kept and lost, how a pairing goes) and ``…/status``.

An event with a `message_id` is answered like readings: only then does the edge forget it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row
from device_gateway.devices.bond_box import box_of
from device_gateway.readings.model import Rejected

EVENT, STATUS = "event", "status"  # kinds of topics
LONGEST: Final = 4096  # octets of one event
MOST_PER_PAIRING: Final = 500  # a house full of meters; more is an edge gone wild
WEAKEST_DBM, STRONGEST_DBM = -127, 20  # Bluetooth Core 5.4, vol. 4, part E, 7.5.4

PAIR_AGAIN: Final = ("bond_lost", "key_wrong", "consent_wanted")  # until then nothing of the device can be read

Detail = str | int | bool | None

CONTACT = """UPDATE gateway.device_holding h
  SET last_seen_at = greatest(h.last_seen_at, least(%s, now())), battery_percent = coalesce(%s, h.battery_percent),
    rssi_dbm = coalesce(%s, h.rssi_dbm), bond_lost_at = NULL
  FROM gateway.device d WHERE d.parent_id = %s AND %s IN (d.id::text, d.hardware_id) AND h.device_id = d.id
    AND upper_inf(h.during)"""
BOND_LOST = """UPDATE gateway.device_holding h SET bond_lost_at = least(%s, now())
  FROM gateway.device d WHERE d.parent_id = %s AND %s IN (d.id::text, d.hardware_id) AND h.device_id = d.id
    AND upper_inf(h.during)"""
OF_PAIRING = """INSERT INTO gateway.edge_event (space_id, pairing_id, message_id, event, details)
  SELECT p.space_id, p.id, %s, %s, %s FROM gateway.edge_pairing p
  WHERE p.id = %s AND p.edge_id = %s
    AND (SELECT count(*) FROM gateway.edge_event e WHERE e.pairing_id = p.id) < %s
  ON CONFLICT (pairing_id, message_id) DO NOTHING"""
# Two statements in one, since an upsert would need the right to read what is sealed.
BOND = """WITH told (sealed, made_at, sender, device) AS (VALUES (%s::bytea, least(%s, now()), %s::uuid, %s::text)),
  carried AS (SELECT d.id, h.space_id, t.* FROM told t JOIN gateway.device d ON d.parent_id = t.sender
      AND t.device IN (d.id::text, d.hardware_id)
    JOIN gateway.device_holding h ON h.device_id = d.id AND upper_inf(h.during)),
  changed AS (UPDATE gateway.device_bond b SET space_id = c.space_id, edge_id = c.sender, sealed = c.sealed,
      made_at = c.made_at, updated_at = now()
    FROM carried c WHERE b.device_id = c.id AND b.made_at < c.made_at)
  INSERT INTO gateway.device_bond (device_id, space_id, edge_id, sealed, made_at)
    SELECT id, space_id, sender, sealed, made_at FROM carried ON CONFLICT (device_id) DO NOTHING"""
ONLINE = """UPDATE gateway.device_holding SET online = %s, online_since = now(), last_seen_at = now()
  WHERE device_id = %s AND upper_inf(during) AND online IS DISTINCT FROM %s"""


class EdgeEvent(msgspec.Struct):
    """One event. `details` has what is said beside these names."""

    event: str
    at: datetime
    message_id: str | None
    details: dict[str, Detail]


class Presence(msgspec.Struct):
    """Payload of ``…/status``."""

    online: bool


class Told(NamedTuple):
    """What a sender told."""

    sender: UUID
    what: EdgeEvent | Presence


def parse_event(payload: bytes, received_at: datetime) -> EdgeEvent | Rejected:
    """`received_at` stands for a time that was not said. Never raises."""
    if len(payload) > LONGEST or rb"\u0000" in payload:
        return Rejected("", "not an event: too long, or text with the character NUL")
    try:
        fields = msgspec.json.decode(payload, type=dict[str, Detail])
        event = msgspec.convert(fields.pop("event", None), str)
        at = msgspec.convert(fields.pop("at", received_at.isoformat()), datetime)
        message_id = msgspec.convert(fields.pop("message_id", None), str | None)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Rejected("", 'not an event: {"event": "…", "at": RFC 3339, "message_id": "…", …}')
    if at.tzinfo is None:
        return Rejected("/at", "a time needs its UTC offset")
    return EdgeEvent(event, at, message_id, fields)


def parse_presence(payload: bytes) -> Presence | None:
    """Our own ``{"online": true}``, or the plain word that other products leave as their will; None for anything else:
    a status of another kind is nobody's loss. Never raises."""
    if (word := payload.strip().lower()) in (b"online", b"offline"):
        return Presence(word == b"online")
    try:
        return msgspec.json.decode(payload, type=Presence)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def save(connection: Connection[Row], told: Iterable[Told]) -> None:
    """Within the transaction of the batch. What is said of a device that the sender does not carry changes nothing."""
    for sender, what in told:
        if isinstance(what, Presence):
            connection.execute(ONLINE, (what.online, sender, what.online))
        elif what.event == "contact":
            battery, rssi = what.details.get("battery_percent"), what.details.get("rssi_dbm")
            connection.execute(
                CONTACT,
                (
                    what.at, _within(battery, 0, 100), _within(rssi, WEAKEST_DBM, STRONGEST_DBM),
                    sender, what.details.get("device"),
                ),
            )  # fmt: skip
        elif what.event in PAIR_AGAIN:
            connection.execute(BOND_LOST, (what.at, sender, what.details.get("device")))
        elif what.event == "bond":
            _keep_bond(connection, sender, what)
        elif (pairing := _uuid(what.details.get("pairing"))) is not None and what.message_id:
            connection.execute(
                OF_PAIRING, (what.message_id, what.event, Jsonb(what.details), pairing, sender, MOST_PER_PAIRING)
            )


def _keep_bond(connection: Connection[Row], sender: UUID, what: EdgeEvent) -> None:
    """The box as it came: what opens it is elsewhere. Without one, the edge's system does not give the bond away."""
    box = what.details.get("bond")
    try:
        sealed = box_of(box) if isinstance(box, str) else None
    except ValueError:
        return
    connection.execute(BOND, (sealed, what.at, sender, what.details.get("device")))


def _within(value: Detail, lowest: int, highest: int) -> int | None:
    return value if type(value) is int and lowest <= value <= highest else None


def _uuid(value: Detail) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
