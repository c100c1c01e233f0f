"""``device-gateway edge pair``: bond with a device, or hear one that broadcasts, and learn what it is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from device_gateway.devices.bind_keys import BadBindKey, parse_bind_key
from device_gateway.transports.ble.adapter import broadcast_adapters
from device_gateway.transports.ble.bond import forget_bond
from device_gateway.transports.ble.device_facts import Make, read_battery_percent, read_make
from device_gateway.transports.ble.errors import BindKeyWrong, BondLost
from device_gateway.transports.ble.link import connected
from device_gateway.transports.ble.listening import listening
from device_gateway.transports.ble.pairing_agent import PairingAgent
from device_gateway.transports.ble.radio import Radio, open_radio
from device_gateway.transports.ble.scan import Heard, find
from device_gateway.transports.edge.broadcast_pairing import MEASUREMENT_S, first_measurement
from device_gateway.transports.edge.state import BONDS_FILE, edge_directory, opened
from device_gateway.transports.edge.turn import turn

FIND_TIMEOUT_S = 20.0
NO_MAKE = Make("", "", "")
RADIO_TURN_WAIT_S = 120.0  # an edge in the middle of a long transfer finishes it first

AskPasskey = Callable[[str], Awaitable[int | None]]
AskBindKey = Callable[[str], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class PairedMeter:
    """A paired device, and what it says of itself (empty where it says nothing)."""

    address: str
    adapter: str
    model_key: str
    name: str
    manufacturer: str
    model: str
    serial: str
    battery_percent: int | None


class _Asking(PairingAgent):
    def __init__(self, ask: AskPasskey) -> None:
        self._ask = ask

    async def passkey(self, address: str) -> int | None:
        return await self._ask(address)

    async def just_works(self, _address: str) -> bool:
        return True  # whoever runs the command stands beside the device and has chosen it


async def pair_meter(
    data_dir: Path,
    radio_spec: str | None,
    *,
    address: str | None = None,
    passkey: int | None = None,
    ask_passkey: AskPasskey | None = None,
    ask_bind_key: AskBindKey | None = None,
    ask_to_measure: Callable[[], None] = lambda: None,
    timeout_s: float = FIND_TIMEOUT_S,
) -> PairedMeter:
    """Finds the device at `address` (or the nearest of a known kind), bonds with it and reads its make.

    The passkey is `passkey`, or what `ask_passkey` (called with the address when the device shows it) returns. A device
    that broadcasts has no bond: where it is encrypted, `ask_bind_key` returns its key, which the state keeps; and it
    is to be used once `ask_to_measure` was called. Nothing is registered: that is `add_meter`. Raises DeviceNotHeard,
    BondRefused, BondLost, BindKeyWrong, NothingMeasured, RadioUnavailable or Occupied.
    """

    async def given(_address: str) -> int | None:
        return passkey

    bonds = edge_directory(data_dir) / BONDS_FILE
    async with (
        turn(data_dir, "pairing", RADIO_TURN_WAIT_S),  # an edge that runs gives the radio away when this is taken
        turn(data_dir, "radio", RADIO_TURN_WAIT_S),
        open_radio(radio_spec, bonds, _Asking(ask_passkey or given)) as radio,
    ):
        heard = await find(radio, address, timeout_s)
        make, battery_percent = NO_MAKE, None
        if heard.broadcasts:
            key = await _hear_it_measure(radio, heard, ask_bind_key, ask_to_measure)
            with opened(data_dir) as state, state.transaction():
                state.broadcasts.set_key(heard.address, key)
        else:
            try:
                make, battery_percent = await _facts(radio, heard)
            except BondLost:  # one side has forgotten the other: both begin anew
                await forget_bond(radio, heard.device)
                heard = await find(radio, heard.address, timeout_s)
                make, battery_percent = await _facts(radio, heard)
    return PairedMeter(
        address=heard.address,
        adapter=heard.adapter,
        model_key=heard.model,
        name=heard.name or "",
        manufacturer=make.manufacturer,
        model=make.model,
        serial=make.serial,
        battery_percent=battery_percent,
    )


async def _hear_it_measure(
    radio: Radio, heard: Heard, ask_bind_key: AskBindKey | None, ask_to_measure: Callable[[], None]
) -> bytes | None:
    """The bind key, None where there is none, once the device was heard to measure."""
    key = None
    if broadcast_adapters()[heard.adapter].is_encrypted(heard.said.services):
        try:
            key = parse_bind_key((await ask_bind_key(heard.address) if ask_bind_key else None) or "")
        except BadBindKey:
            raise BindKeyWrong from None
    ask_to_measure()
    coming: asyncio.Queue[Heard] = asyncio.Queue()
    async with listening(radio, coming.put_nowait):
        await first_measurement(coming, heard.address, key, MEASUREMENT_S)
    return key


async def _facts(radio: Radio, heard: Heard) -> tuple[Make, int | None]:
    async with connected(radio, heard.device) as link:
        return await read_make(link), await read_battery_percent(link)
