"""Pairing with a device that broadcasts: the right one is the one that measures when somebody uses it."""

import asyncio
from datetime import datetime

from device_gateway.readings.model import Reading, Rejected
from device_gateway.transports.ble.adapter import broadcast_adapters
from device_gateway.transports.ble.errors import BindKeyWrong, NothingMeasured
from device_gateway.transports.ble.heard import Heard
from device_gateway.transports.edge.broadcasting import value_of

KEY_S = 300.0  # to find 32 digits in another app, and to type them
MEASUREMENT_S = 120.0  # to walk to the scale
REPEATED_S = 3.0  # a device that repeats its last measurement does so several times in this time


async def first_measurement(
    coming: asyncio.Queue[Heard], address: str, bind_key: bytes | None, timeout_s: float
) -> Heard:
    """The broadcast of a measurement that is made from now on; `coming` is all that is heard.

    One that the device repeats from before does not count. Raises BindKeyWrong or NothingMeasured.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _made_now(coming, address, bind_key)
    except TimeoutError:
        raise NothingMeasured from None


async def _made_now(coming: asyncio.Queue[Heard], address: str, bind_key: bytes | None) -> Heard:
    loop = asyncio.get_running_loop()
    began = loop.time()
    earlier: bytes | None = None
    settling = False
    while True:
        heard = await coming.get()
        if heard.address != address or not heard.broadcasts:
            continue
        adapter, said = broadcast_adapters()[heard.adapter], heard.said
        settling = settling or adapter.is_settling(said.services)
        now = datetime.now().astimezone()
        results = adapter.decode_advertisement(said.services, said.manufacturers, now, bind_key, address)
        if bind_key is not None and any(isinstance(result, Rejected) for result in results):
            raise BindKeyWrong
        readings = [result for result in results if isinstance(result, Reading)]
        if not readings:
            continue
        measurement = adapter.measurement_of(said.services, bind_key, address) or value_of(readings)
        if settling or loop.time() - began > REPEATED_S or earlier not in (None, measurement):
            return heard
        earlier = measurement
