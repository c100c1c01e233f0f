"""Pairing a Bluetooth device at an edge: what the patient asks, what the edge tells, the device that comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.accounts.account import Account
from device_gateway.database.pool import Row
from device_gateway.database.scoping import enter_space, space_scope
from device_gateway.devices.bonds import record_erased
from device_gateway.devices.edge_commands import command_edge
from device_gateway.devices.models import known_model
from device_gateway.devices.pairing import BLUETOOTH_ADDRESS, MACOS_IDENTIFIER, attach
from device_gateway.errors import GatewayError, NotFound
from device_gateway.journal import Actor, Event, EventName, record
from device_gateway.readings.user_index import LAST_USER

SCAN_S = 30  # seconds: a device on a button cell advertises once a second, and somebody must wake it up first
SILENT_S = 15  # seconds without a word from the edge: it is away
KEPT = timedelta(days=1)  # a pairing that came to nothing

Step = Literal["scan", "pair", "answer", "added"]

EDGES = """SELECT d.id, h.name, h.online FROM gateway.device d JOIN gateway.device_holding h ON h.device_id = d.id
  WHERE h.space_id = %s AND upper_inf(h.during) AND d.kind = 'edge' ORDER BY h.name, d.id"""
FORGET_OLD = "DELETE FROM gateway.edge_pairing WHERE created_at < %s AND device_id IS NULL"
NEW = "INSERT INTO gateway.edge_pairing (space_id, edge_id) VALUES (%s, %s) RETURNING id"
PAIRING = """SELECT p.id, p.edge_id, p.step, p.asked_at, p.asked_after, p.address, p.device_id, p.answered,
    h.name AS edge_name, h.online
  FROM gateway.edge_pairing p JOIN gateway.device_holding h ON h.device_id = p.edge_id AND upper_inf(h.during)
  WHERE p.id = %s"""
EVENTS = "SELECT id, event, details FROM gateway.edge_event WHERE pairing_id = %s ORDER BY id"
ASKED = """UPDATE gateway.edge_pairing p SET step = %s, address = coalesce(%s, p.address), answered = %s,
    asked_at = now(), asked_after = coalesce((SELECT max(e.id) FROM gateway.edge_event e WHERE e.pairing_id = p.id), 0)
  WHERE p.id = %s"""
ADDED = "UPDATE gateway.edge_pairing SET step = 'added', device_id = %s WHERE id = %s"
TAKEN_OVER = "SELECT device_id, space_id, bond_erased FROM gateway.device_taken_over(%s, %s)"
IN_USE = "SELECT gateway.device_in_use(%s, %s) AS yes"


class EdgeUnknown(GatewayError):
    """None of your edges has this name."""

    http_status = 404


class NotPaired(GatewayError):
    """The device has not been paired: begin again."""

    http_status = 409


class NoProof(GatewayError):
    """The bond does not prove that you have the device: its holder must remove it first."""

    http_status = 409


class StillInUse(GatewayError):
    """Its holder's edge has read the device within the last day: its holder must remove it, or leave it unused."""

    http_status = 409


@dataclass(frozen=True)
class AvailableEdge:
    """`online` is None as long as it never said."""

    id: UUID
    name: str
    online: bool | None


@dataclass(frozen=True)
class HeardDevice:
    """A device within reach of the edge."""

    address: str
    name: str
    model: str
    rssi_dbm: int


@dataclass(frozen=True)
class EdgePairing:
    """Where a pairing is.

    said     the last event since the last command, None while the edge is at it; details with it
    heard    devices within reach, the nearest first
    silent   the edge has not said anything for some time
    answered what the patient typed ("passkey") or compared ("number") since the device was chosen
    """

    id: UUID
    edge: UUID
    edge_name: str
    online: bool | None
    step: Step
    address: str | None
    device: UUID | None
    said: str | None
    details: dict[str, Any]  # Any: what the edge wrote; shown, never trusted
    heard: Sequence[HeardDevice]
    silent: bool
    answered: str | None

    @property
    def proved(self) -> bool:
        """Whether the device showed something that only who has it in hand can have read: so says the edge, and the
        patient was asked for it here."""
        return self.said == "paired" and self.answered is not None and self.details.get("proof") == self.answered

    @property
    def user(self) -> int | None:
        """Who the patient is on a scale that tells people apart."""
        user = self.details.get("user_index")
        return user if self.said == "paired" and type(user) is int and 0 <= user <= LAST_USER else None


async def edges(connection: AsyncConnection[Row], space: UUID) -> list[AvailableEdge]:
    """The patient's edges, by name."""
    async with space_scope(connection, space):
        rows = await (await connection.execute(EDGES, (space,))).fetchall()
    return [AvailableEdge(row.id, row.name, row.online) for row in rows]


async def begin(connection: AsyncConnection[Row], space: UUID, edge: UUID) -> UUID:
    """A new pairing: the edge is told to listen. Raises EdgeUnknown."""
    if edge not in {one.id for one in await edges(connection, space)}:
        raise EdgeUnknown
    async with space_scope(connection, space):
        await connection.execute(FORGET_OLD, (datetime.now(UTC) - KEPT,))
        [row] = await (await connection.execute(NEW, (space, edge))).fetchall()
        await command_edge(connection, space, edge, "scan", pairing=str(row.id), seconds=SCAN_S)
    return UUID(str(row.id))


async def look(connection: AsyncConnection[Row], space: UUID, pairing: UUID) -> EdgePairing:
    """Where it is now. Raises NotFound."""
    async with space_scope(connection, space):
        row = await (await connection.execute(PAIRING, (pairing,))).fetchone()
        if row is None:
            raise NotFound
        events = await (await connection.execute(EVENTS, (pairing,))).fetchall()
    heard = {}
    for event in events:
        if event.event == "heard" and (device := _heard(event.details)) is not None:
            heard[device.address] = device
    since = [event for event in events if event.id > row.asked_after]
    if row.step != "scan":
        since = [event for event in since if event.event not in ("heard", "scanned")]
    last = since[-1] if since else None
    waited_s = (datetime.now(UTC) - row.asked_at).total_seconds()
    return EdgePairing(
        row.id, row.edge_id, row.edge_name, row.online, row.step, row.address, row.device_id,
        said=last.event if last else None,
        details=last.details if last else {},
        heard=sorted(heard.values(), key=lambda device: -device.rssi_dbm),
        silent=last is None and row.step in ("scan", "pair") and waited_s > SILENT_S,
        answered=row.answered,
    )  # fmt: skip


async def scan_again(connection: AsyncConnection[Row], space: UUID, pairing: EdgePairing) -> None:
    """The edge listens once more."""
    await _ask(connection, space, pairing, "scan", "scan", seconds=SCAN_S)


async def choose(connection: AsyncConnection[Row], space: UUID, pairing: EdgePairing, address: str) -> None:
    """The edge bonds with the device at `address`. Raises NotFound for one that was not heard."""
    if address not in {device.address for device in pairing.heard}:
        raise NotFound
    await _ask(connection, space, pairing, "pair", "pair", choose=address, address=address)


async def answer_passkey(connection: AsyncConnection[Row], space: UUID, pairing: EdgePairing, digits: str) -> None:
    """What the device shows."""
    await _ask(connection, space, pairing, "answer", "passkey", answered="passkey", passkey=digits)


async def answer_key(connection: AsyncConnection[Row], space: UUID, pairing: EdgePairing, key: str) -> None:
    """The bind key of a device that broadcasts."""
    await _ask(connection, space, pairing, "answer", "key", key=key)


async def answer_user(
    connection: AsyncConnection[Row], space: UUID, pairing: EdgePairing, user_index: int, code: int
) -> None:
    """A user of the scale, and the consent code that it shows for them."""
    await _ask(connection, space, pairing, "answer", "user", user_index=user_index, code=code)


async def answer_question(connection: AsyncConnection[Row], space: UUID, pairing: EdgePairing, *, yes: bool) -> None:
    """Whether the numbers are the same, or a bond without proof is wanted."""
    compared = "number" if yes and pairing.said == "number" else None
    await _ask(connection, space, pairing, "answer", "confirm", answered=compared, accept=yes)


async def add(
    connection: AsyncConnection[Row],
    account: Account,
    space: UUID,
    pairing: EdgePairing,
    *,
    name: str,
    since: datetime,
    take_over: bool,
    bond_key: str | None = None,
) -> UUID:
    """The bonded device becomes one of the patient's; the edge reads it from then on. Its id.

    With `take_over` a device that someone else holds changes hands: the bond made now proves who has it. `bond_key`:
    what the edge seals the bond for, so that another edge can go on with it. Raises NotPaired, NoProof, StillInUse, and
    as `attach`: DeviceAlreadyClaimed, BadDeviceName, BadSince, UnknownModel.
    """
    if pairing.said != "paired" or pairing.address is None:
        raise NotPaired
    known = known_model(str(pairing.details.get("model")))
    async with space_scope(connection, space):
        if take_over:
            await _take_over(connection, space, pairing, known.model.key)
        device = await attach(
            connection, account, space,
            hub=pairing.edge, model=known.model.key, hardware_id=pairing.address, name=name, since=since,
        )  # fmt: skip
        await connection.execute(ADDED, (device, pairing.id))
        key = {"bond_key": bond_key} if bond_key else {}
        await command_edge(
            connection, space, pairing.edge, "adopt",
            pairing=str(pairing.id), device=str(device), address=pairing.address, adapter=known.dialect, **key,
        )  # fmt: skip
    return device


async def _take_over(connection: AsyncConnection[Row], space: UUID, pairing: EdgePairing, model: str) -> None:
    row = await (await connection.execute(TAKEN_OVER, (pairing.id, model))).fetchone()
    if row is None:
        [used] = await (await connection.execute(IN_USE, (pairing.id, model))).fetchall()
        raise StillInUse if used.yes else NoProof
    await enter_space(connection, row.space_id)
    event = Event(
        EventName.DEVICE_RELEASED, row.space_id, Actor("system"),
        resource=f"Device/{row.device_id}", reason="paired by someone who has it in hand", details={"model": model},
    )  # fmt: skip
    await record(connection, event)
    if row.bond_erased:
        await record_erased(connection, row.space_id, Actor("system"), row.device_id, model)
    await enter_space(connection, space)


async def _ask(
    connection: AsyncConnection[Row],
    space: UUID,
    pairing: EdgePairing,
    step: Step,
    command: str,
    *,
    choose: str | None = None,
    answered: str | None = None,
    **details: str | int | bool,
) -> None:
    async with space_scope(connection, space):
        await connection.execute(ASKED, (step, choose, answered, pairing.id))
        await command_edge(connection, space, pairing.edge, command, pairing=str(pairing.id), **details)


def _heard(details: dict[str, Any]) -> HeardDevice | None:
    """What the edge says of a device, where it can be one."""
    address, name, model, rssi = (details.get(key) for key in ("address", "name", "model", "rssi_dbm"))
    if not isinstance(address, str) or not (
        BLUETOOTH_ADDRESS.fullmatch(address) or MACOS_IDENTIFIER.fullmatch(address)
    ):
        return None
    return HeardDevice(address, str(name or ""), str(model or ""), rssi if isinstance(rssi, int) else -127)
