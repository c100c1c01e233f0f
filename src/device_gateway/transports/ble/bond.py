"""Forgetting a bond on our side, so that a new one can be made."""

from contextlib import suppress

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDeviceNotFoundError, BleakError

from device_gateway.transports.ble.errors import BluetoothError
from device_gateway.transports.ble.radio import Radio


async def forget_bond(radio: Radio, device: BLEDevice) -> None:
    """Removes our keys of the device; there need not be any. Where the operating system keeps them, it must be asked
    there. Raises BluetoothError."""
    client = BleakClient(device, backend=radio.client_backend)
    try:
        with suppress(BleakDeviceNotFoundError, NotImplementedError):
            await client.unpair()
    except (BleakError, OSError, EOFError, TimeoutError) as error:
        raise BluetoothError(f"the old bond could not be removed: {error}") from error
