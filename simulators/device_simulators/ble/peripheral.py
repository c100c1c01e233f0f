"""What every simulated Bluetooth LE device does: join the air, be found, be bonded with."""

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

from bumble import att, gatt
from bumble.core import UUID, AdvertisingData
from bumble.data_types import CompleteLocalName, Flags, IncompleteListOf16BitServiceUUIDs
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Descriptor, Service
from bumble.hci import Address
from bumble.keys import KeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import Transport

ADVERTISING_INTERVAL_MS = 100  # quick to be found; a real meter on a button cell takes up to 1 s
_ENCRYPTION_KEY_ONLY = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY

READABLE = att.Attribute.Permissions.READABLE
WRITEABLE = att.Attribute.Permissions.WRITEABLE
BONDED_READ = (
    READABLE
    | att.Attribute.Permissions.READ_REQUIRES_ENCRYPTION
    | att.Attribute.Permissions.READ_REQUIRES_AUTHENTICATION
)
BONDED_WRITE = (
    WRITEABLE
    | att.Attribute.Permissions.WRITE_REQUIRES_ENCRYPTION
    | att.Attribute.Permissions.WRITE_REQUIRES_AUTHENTICATION
)


@dataclass(frozen=True, slots=True)
class Security:
    """What a peer needs to read or write what is protected, a subscription included."""

    read: att.Attribute.Permissions
    write: att.Attribute.Permissions


BY_PASSKEY = Security(BONDED_READ, BONDED_WRITE)
JUST_WORKS = Security(  # encrypted, but a man in the middle would not be noticed: devices without display or keys
    READABLE | att.Attribute.Permissions.READ_REQUIRES_ENCRYPTION,
    WRITEABLE | att.Attribute.Permissions.WRITE_REQUIRES_ENCRYPTION,
)
OPEN = Security(READABLE, WRITEABLE)  # as most heart rate belts are


class PasskeyDisplay(PairingDelegate):
    """A device with a display and no keys: it shows a fixed passkey, as one printed under a battery cover."""

    def __init__(self, passkey: int) -> None:
        super().__init__(PairingDelegate.DISPLAY_OUTPUT_ONLY, _ENCRYPTION_KEY_ONLY, _ENCRYPTION_KEY_ONLY)
        self._passkey = passkey

    async def generate_passkey(self) -> int:
        return self._passkey


class NoDisplay(PairingDelegate):
    """A device with neither display nor keys: whoever asks is bonded with ("just works")."""

    def __init__(self) -> None:
        super().__init__(PairingDelegate.NO_OUTPUT_NO_INPUT, _ENCRYPTION_KEY_ONLY, _ENCRYPTION_KEY_ONLY)


class NumberDisplay(PairingDelegate):
    """A device with a display and two keys, whose holder agrees to every number: it prints ``number 123456``."""

    def __init__(self) -> None:
        keys = _ENCRYPTION_KEY_ONLY
        super().__init__(PairingDelegate.DISPLAY_OUTPUT_AND_YES_NO_INPUT, keys, keys)

    async def compare_numbers(self, number: int, digits: int) -> bool:
        sys.stdout.write(f"number {number:0{digits}d}\n")
        sys.stdout.flush()
        return True


def peripheral(
    transport: Transport,
    *,
    name: str,
    address: str,
    passkey: int | None,
    bonds: KeyStore,
    service: int,
    compares: bool = False,
) -> Device:
    """A device that advertises `service` (16-bit) under `name` and bonds by LE Secure Connections.

    Where it `compares`, by numbers that both sides show; else it shows `passkey`; without one, bonding just works.
    """
    config = DeviceConfiguration(
        name=name,
        address=Address(address),
        advertising_interval_min=ADVERTISING_INTERVAL_MS,
        advertising_interval_max=ADVERTISING_INTERVAL_MS,
    )
    discoverable = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
    config.advertising_data = bytes(
        AdvertisingData(
            [
                Flags(discoverable),
                IncompleteListOf16BitServiceUUIDs([UUID.from_16_bits(service)]),
                CompleteLocalName(name),
            ]
        )
    )
    device = Device.from_config_with_hci(config, transport.source, transport.sink)
    device.keystore = bonds
    device.pairing_config_factory = lambda _connection: PairingConfig(
        sc=True,
        mitm=compares or passkey is not None,
        bonding=True,
        delegate=NumberDisplay() if compares else NoDisplay() if passkey is None else PasskeyDisplay(passkey),
    )
    return device


def subscribable(device: Device, characteristic: Characteristic[bytes], security: Security) -> Characteristic[bytes]:
    """The characteristic with a configuration descriptor that only a peer may write who satisfies `security`.

    The one that Bumble adds by itself is open to everybody.
    """
    characteristic.descriptors = [
        Descriptor(
            gatt.GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
            READABLE | security.write,
            device.gatt_server.make_descriptor_value(characteristic),
        )
    ]
    return characteristic


def is_subscribed(device: Device, connection: Connection, characteristic: Characteristic[bytes], bit: int) -> bool:
    """Whether the peer asked for notifications (`bit` 1) or indications (`bit` 2)."""
    value = device.gatt_server.subscribers.get(connection, {}).get(characteristic.handle, b"\0\0")
    return bool(value[0] & bit)


def silent(number: int, properties: Characteristic.Properties) -> Characteristic[bytes]:
    """A characteristic that only notifies or indicates: it can be neither read nor written."""
    return Characteristic(UUID.from_16_bits(number), properties, att.Attribute.Permissions(0), b"")


def constant(number: int, value: bytes) -> Characteristic[bytes]:
    """A characteristic that everybody can read and that never changes."""
    return Characteristic(UUID.from_16_bits(number), Characteristic.Properties.READ, READABLE, value)


def read_only(number: int, read: Callable[[Connection], bytes]) -> Characteristic[bytes]:
    """A characteristic whose value is asked for at each reading."""
    return Characteristic(
        UUID.from_16_bits(number), Characteristic.Properties.READ, READABLE, CharacteristicValue(read=read)
    )


def device_information(model: str, serial: str, firmware: str) -> Service:
    """Device Information (0x180A)."""
    return Service(
        UUID.from_16_bits(0x180A),
        [
            constant(0x2A29, b"Device Gateway simulators"),
            constant(0x2A24, model.encode()),
            constant(0x2A25, serial.encode()),
            constant(0x2A26, firmware.encode()),
        ],
    )


def battery(percent: int) -> Service:
    """Battery (0x180F)."""
    return Service(UUID.from_16_bits(0x180F), [constant(0x2A19, struct.pack("<B", percent))])
