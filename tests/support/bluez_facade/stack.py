"""The stack behind the objects: one Bluetooth host on the air, its bonds in a file, its devices on the bus."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Connection, DeviceConfiguration
from bumble.device import Device as BluetoothHost
from bumble.hci import Address, HCI_LE_Create_Connection_Cancel_Command
from bumble.pairing import PairingConfig
from bumble.transport.common import Transport
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from bluez_facade.adapter import Adapter
from bluez_facade.agents import AgentManager, Asking
from bluez_facade.device import Device
from bluez_facade.wire import ADAPTER, SENDER, uuid_text
from device_simulators.ble.running import join_air
from device_simulators.radio.bonds import Bonds
from device_simulators.radio.json_file import read_json, write_json
from device_simulators.radio.scanner import service_data

TEMPORARY_S = 30.0  # BlueZ, TemporaryTimeout of main.conf
_SERVICE_LISTS = (
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
)


async def run_facade(bus_address: str, radio: str, state: Path, temporary_s: float = TEMPORARY_S) -> None:
    """`bluetoothd` on the bus, until it is killed. Prints ``bluez ready``. Bonds are kept in the file `state`.

    A device that there is no bond with is dropped `temporary_s` after the last discovery.
    """
    bus = await MessageBus(bus_address=bus_address).connect()
    stack = Stack(bus, await join_air(radio), state, temporary_s)
    await stack.start()
    sys.stdout.write("bluez ready\n")
    sys.stdout.flush()
    with suppress(EOFError):  # without its bus it ends, as bluetoothd does
        await bus.wait_for_disconnect()


class Stack:
    def __init__(self, bus: MessageBus, transport: Transport, state: Path, temporary_s: float) -> None:
        self.bus = bus
        self.devices: dict[str, Device] = {}
        self.asking: dict[str, Asking] = {}  # by device path: the bond that was tried last
        self._temporary_s = temporary_s
        self._connecting = asyncio.Lock()  # a controller has one pending connection at a time
        self._forgetting: set[asyncio.Task[None]] = set()
        kept = read_json(state)
        if "address" not in kept:
            kept = {"address": Address.generate_static_address().to_string(False), "bonds": {}}
            write_json(state, kept)
        config = DeviceConfiguration(name="facade", address=Address(kept["address"]))
        self.device = BluetoothHost.from_config_with_hci(config, transport.source, transport.sink)
        self.bonds = self.device.keystore = Bonds(kept["bonds"], lambda: write_json(state, kept))
        self.device.pairing_config_factory = self._pairing_config
        self.device.on(BluetoothHost.EVENT_ADVERTISEMENT, self._heard)
        self.agents = AgentManager(bus)
        self.adapter = Adapter(self)

    async def start(self) -> None:
        """Powers on, exports what is known, and takes the name."""
        await self.device.power_on()
        self.bus.add_message_handler(self._called)
        rule = "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'"
        dbus = "org.freedesktop.DBus"
        await self.bus.call(Message(dbus, "/org/freedesktop/DBus", dbus, "AddMatch", signature="s", body=[rule]))
        self.bus.export("/org/bluez", self.agents)
        self.bus.export(ADAPTER, self.adapter)
        for name, _keys in await self.bonds.get_all():
            self._export(Device(self, Address(name), path_of(Address(name)), bonded=True))
        await self.bus.request_name("org.bluez")

    async def connect(self, address: Address, timeout_s: float) -> Connection:
        async with self._connecting:
            try:
                return await self.device.connect(address, timeout=timeout_s)
            except asyncio.CancelledError:  # Bumble leaves the controller connecting
                await self.device.send_sync_command(HCI_LE_Create_Connection_Cancel_Command())
                raise

    async def remove(self, path: str) -> None:
        """Forgets a device and its bond."""
        device = self.devices.pop(path)
        await device.close()
        if device.paired:
            await self.bonds.delete(str(device.address))
        device.withdraw()

    def discovery_ended(self) -> None:
        """Devices without a bond are dropped after a while, unless they are in use by then."""
        asyncio.get_running_loop().call_later(self._temporary_s, self._drop_temporary)

    def _drop_temporary(self) -> None:
        if self.adapter.discovering:
            return
        for path, device in list(self.devices.items()):
            if device.temporary:
                del self.devices[path]
                device.withdraw()

    def _heard(self, advertisement: Advertisement) -> None:
        uuids = [
            uuid_text(uuid)
            for kind in _SERVICE_LISTS
            for uuids in advertisement.data.get_all(kind)
            for uuid in uuids
            if isinstance(uuid, UUID)
        ]
        if not self.adapter.wants(set(uuids)):
            return
        name = advertisement.data.get(AdvertisingData.COMPLETE_LOCAL_NAME)
        path = path_of(advertisement.address)
        device = self.devices.get(path) or Device(self, advertisement.address, path, bonded=False)
        device.heard(
            name if isinstance(name, str) else "", uuids, advertisement.rssi, dict(service_data(advertisement.data))
        )
        self._export(device)

    def _export(self, device: Device) -> None:
        if device.path not in self.devices:
            self.devices[device.path] = device
            self.bus.export(device.path, device)

    def _pairing_config(self, connection: Connection) -> PairingConfig:
        path = path_of(connection.peer_address)
        asking = self.asking[path] = Asking(self.agents, path, ours=self.devices[path].wanted_bond)
        return PairingConfig(sc=True, mitm=self.agents.chosen() is not None, bonding=True, delegate=asking)

    def _called(self, message: Message) -> None:
        """Notes who calls, and what programs have gone."""
        if message.message_type is MessageType.METHOD_CALL:
            SENDER.set(message.sender or "")
        elif message.member == "NameOwnerChanged" and not message.body[2]:
            gone = message.body[0]
            self.agents.forget(gone)
            task = asyncio.ensure_future(self.adapter.forget(gone))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)
            for device in self.devices.values():
                device.forget(gone)


def path_of(address: Address) -> str:
    """The object of the device at this address."""
    return f"{ADAPTER}/dev_{address.to_string(False).replace(':', '_')}"
