"""Sessions of glucose sensors: what each is at, as its edge told it last, and asking for a new one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.devices.edge_commands import command_edge
from device_gateway.devices.holdings import EDGE_OF, holding_name
from device_gateway.errors import NotFound
from device_gateway.journal import Actor, Event, EventName, record

TOLD: Final = (
    EventName.SENSOR_WAITS,
    EventName.SENSOR_WARMS_UP,
    EventName.SENSOR_MEASURES,
    EventName.SENSOR_EXPIRED,
    EventName.SENSOR_ENDED,
    EventName.SENSOR_NOT_STARTED,
    EventName.SENSOR_START_ASKED,
)
STARTABLE: Final = (EventName.SENSOR_WAITS, EventName.SENSOR_ENDED, EventName.SENSOR_NOT_STARTED)

# A sensor lasts for weeks: what was told earlier says nothing of today, and need not be looked through.
LATEST = """SELECT DISTINCT ON (device) device, event, at FROM (
    SELECT coalesce(j.actor_id, '') AS device, j.event, j.at, j.n FROM gateway.journal j
    WHERE j.space_id = %s AND j.at > now() - interval '60 days' AND j.event = ANY(%s) AND j.actor_kind = 'device'
    UNION ALL
    SELECT substr(j.resource, 8), j.event, j.at, j.n FROM gateway.journal j
    WHERE j.space_id = %s AND j.at > now() - interval '60 days' AND j.event = ANY(%s) AND j.resource LIKE 'Device/%%'
  ) told ORDER BY device, n DESC"""


class SensorState(NamedTuple):
    """What the session of a sensor is at, since when."""

    event: EventName
    at: datetime

    @property
    def startable(self) -> bool:
        """Whether a session can be asked for now."""
        return self.event in STARTABLE


async def sensor_states(connection: AsyncConnection[Row], space: UUID) -> Mapping[UUID, SensorState]:
    """By device; those whose edge never told are not in it."""
    names = [str(name) for name in TOLD]
    async with space_scope(connection, space):
        rows = await (await connection.execute(LATEST, (space, names, space, names))).fetchall()
    return {UUID(row.device): SensorState(EventName(row.event), row.at) for row in rows if row.device}


async def ask_for_session(connection: AsyncConnection[Row], space: UUID, device: UUID, actor: Actor) -> None:
    """Has the edge start a session the next time it hears the sensor, if that waits for one. Raises NotFound."""
    async with space_scope(connection, space):
        name = await holding_name(connection, device)
        edge = await (await connection.execute(EDGE_OF, (device,))).fetchone()
        if name is None or edge is None:
            raise NotFound
        await command_edge(connection, space, edge.id, "start_session", device=str(device))
        event = Event(EventName.SENSOR_START_ASKED, space, actor, resource=f"Device/{device}", details={"device": name})
        await record(connection, event)
