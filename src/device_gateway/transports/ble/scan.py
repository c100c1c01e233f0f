"""Looking for devices that an adapter can talk to."""

import asyncio
from collections.abc import Collection

from device_gateway.transports.ble.errors import DeviceNotHeard
from device_gateway.transports.ble.heard import Heard
from device_gateway.transports.ble.listening import listening
from device_gateway.transports.ble.radio import Radio

__all__ = ["Heard", "find", "scan"]


async def scan(radio: Radio, timeout_s: float, wanted: Collection[str] | None = None) -> dict[str, Heard]:
    """Devices of known kinds, by address in upper case, heard within `timeout_s`.

    With `wanted` (addresses) only those, and no longer than until all of them were heard. Raises RadioUnavailable.
    """
    addresses = None if wanted is None else {address.upper() for address in wanted}
    found: dict[str, Heard] = {}
    complete = asyncio.Event()

    def heard(device: Heard) -> None:
        if addresses is not None and device.address not in addresses:
            return
        found[device.address] = device
        if addresses is not None and addresses <= found.keys():
            complete.set()

    def gone(_lost: asyncio.Future[None]) -> None:
        complete.set()

    async with listening(radio, heard) as lost:
        lost.add_done_callback(gone)
        try:
            await asyncio.wait_for(complete.wait(), timeout_s)
        except TimeoutError:
            pass
        finally:
            lost.remove_done_callback(gone)
    return found


async def find(radio: Radio, address: str | None, timeout_s: float) -> Heard:
    """The device at `address`, or the nearest one of a known kind. Raises DeviceNotHeard or RadioUnavailable."""
    found = await scan(radio, timeout_s, None if address is None else [address])
    if not found:
        raise DeviceNotHeard(
            f"{address or 'no device of a known kind'} was heard within {timeout_s:g} s"
            if address is None
            else f"{address} was not heard within {timeout_s:g} s: wake it up and bring it nearer"
        )
    return max(found.values(), key=lambda heard: heard.rssi_dbm)
