"""``device-gateway simulate ble-xiaomi-scale``: scales that only broadcast, the S400 encrypted."""

import asyncio
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated

import typer
from bumble.core import UUID, AdvertisingData
from bumble.data_types import CompleteLocalName, Flags, IncompleteListOf16BitServiceUUIDs, ServiceData16BitUUID
from bumble.device import Device, DeviceConfiguration
from bumble.hci import Address as HciAddress
from bumble.transport.common import Transport

from device_simulators.ble.device_options import Address, DeviceOptions, Interval, Name, device_command
from device_simulators.ble.peripheral import ADVERTISING_INTERVAL_MS
from device_simulators.ble.running import run_device
from device_simulators.ble.xiaomi_packets import KG_PER_LB, S400, Weighing, body_scale, smart_scale
from device_simulators.patients.replay import read_replay
from device_simulators.patients.vitals import Vitals

SMART_SCALE, BODY_SCALE, MIBEACON = 0x181D, 0x181B, 0xFE95
MODELS = {"mi-scale": SMART_SCALE, "mi-body": BODY_SCALE, "s400": MIBEACON}
DEFAULT_KEY = "00112233445566778899aabbccddeeff"
NEVER_SET = datetime(1970, 1, 1)  # noqa: DTZ001  a scale's clock has no zone
_NAMES = {SMART_SCALE: "MI_SCALE", BODY_SCALE: "MIBFS"}  # with these an advertisement has its 31 octets; an S400's none


@dataclass(frozen=True, kw_only=True)
class XiaomiOptions(DeviceOptions):
    """How one such scale behaves. Raises ValueError for a model or a key that is none."""

    address: Address = "C0:00:00:00:00:09"
    name: Name = "Xiaomi scale"
    interval_s: Interval = 20
    kind: Annotated[str, typer.Option("--model", help="mi-scale, mi-body or s400.")] = "mi-body"
    bind_key: Annotated[str, typer.Option(help="Of an S400: 32 hexadecimal digits.")] = DEFAULT_KEY
    unit: Annotated[str, typer.Option(help="kg or lb.")] = "kg"
    never_set: Annotated[bool, typer.Option("--never-set", help="Nobody ever set its clock.")] = False
    phase_s: Annotated[float, typer.Option("--phase", min=0.1, help="Seconds for each step of a weighing.")] = 1.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in MODELS:
            raise ValueError(f"--model: one of {', '.join(MODELS)} is needed")
        if self.unit not in ("kg", "lb"):
            raise ValueError("--unit: kg or lb is needed")
        if not re.fullmatch(r"[0-9A-Fa-f]{32}", self.bind_key):
            raise ValueError("--bind-key: 32 hexadecimal digits are needed")


class XiaomiScale:
    """One scale. It says the same over and over, and takes no connection."""

    kind = "xiaomi-scale"

    def __init__(self, options: XiaomiOptions) -> None:
        self._options = options
        self._service = MODELS[options.kind]
        self._vitals = Vitals(options.person, options.seed)
        self._chance = random.Random(f"{self.kind} {options.seed}")
        self._beacon = S400(options.address, bytes.fromhex(options.bind_key))
        rows = read_replay(options.replay) if options.replay else []
        self._coming = [row.parts(1)[0] * (KG_PER_LB if row.unit == "lb" else 1) for row in rows]
        self._said = self._nobody()
        self._device: Device | None = None

    async def start(self, transport: Transport) -> None:
        """Switches it on: it broadcasts until the transport ends."""
        config = DeviceConfiguration(
            name=self._options.name,
            address=HciAddress(self._options.address),
            advertising_interval_min=ADVERTISING_INTERVAL_MS,
            advertising_interval_max=ADVERTISING_INTERVAL_MS,
        )
        self._device = Device.from_config_with_hci(config, transport.source, transport.sink)
        await self._device.power_on()
        await self.say(self._said)

    async def live(self) -> None:
        """Somebody steps on it every `interval_s`."""
        while self._options.interval_s > 0:
            await asyncio.sleep(self._options.interval_s)
            await self.weigh()

    async def weigh(self, kg: Decimal | None = None) -> Weighing:
        """Somebody steps on it and off again. What it goes on saying afterwards is this weighing."""
        weighing = self._weighing(kg)
        for content in self.course(weighing):
            await self.say(content)
            await asyncio.sleep(self._options.phase_s)
        return weighing

    def course(self, weighing: Weighing) -> Sequence[bytes]:
        """What is said of it, first to last."""
        if self._service == MIBEACON:
            beacon = self._beacon
            return [beacon.weight(weighing), beacon.second_impedance(weighing), beacon.stepped_off(weighing)]
        encode = body_scale if self._service == BODY_SCALE else smart_scale
        pounds = self._options.unit == "lb"
        barely = replace(weighing, kg=weighing.kg * Decimal("0.6"), ohm=None)
        plain = replace(weighing, ohm=None)
        return [
            encode(barely, settled=False, off=False, pounds=pounds),
            encode(plain, settled=True, off=False, pounds=pounds),
            encode(weighing, settled=True, off=False, pounds=pounds),
            encode(weighing, settled=True, off=True, pounds=pounds),
        ]

    async def say(self, service_data: bytes) -> None:
        """Broadcasts these service data from now on."""
        self._said = service_data
        device = self._device
        if device is None:
            return
        flags = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
        service = UUID.from_16_bits(self._service)
        content = [Flags(flags), ServiceData16BitUUID(service, service_data)]
        if self._service in _NAMES:
            content[1:1] = [IncompleteListOf16BitServiceUUIDs([service])]
            content.append(CompleteLocalName(_NAMES[self._service]))
        if device.is_advertising:
            await device.stop_advertising()
        device.advertising_data = bytes(AdvertisingData(content))
        await device.start_advertising(auto_restart=True)

    def _weighing(self, kg: Decimal | None) -> Weighing:
        options = self._options
        shown = datetime.now().replace(microsecond=0) + timedelta(seconds=options.clock_skew_s)  # noqa: DTZ005
        if kg is None:
            kg = self._coming.pop(0) if self._coming else self._vitals.weight_kg(shown)
        ohm = Decimal(self._chance.randint(4200, 6200)) / 10
        unix = int(time.time() + options.clock_skew_s)
        return Weighing(
            kg=kg,
            at=NEVER_SET if options.never_set else shown,
            unix=0 if options.never_set else unix,
            ohm=None if self._service == SMART_SCALE else ohm,
            pulse=self._chance.randint(58, 96) if self._service == MIBEACON else None,
        )

    def _nobody(self) -> bytes:
        if self._service == MIBEACON:
            return self._beacon.nobody()
        return self.course(replace(self._weighing(Decimal(0)), ohm=None))[0]


async def run_xiaomi_scale(radio: str, options: XiaomiOptions) -> None:
    """One scale on the radio at `radio`, until SIGTERM. Prints ``xiaomi-scale ready ADDRESS NAME``."""
    scale = XiaomiScale(options)
    await run_device(radio, scale.start, f"{scale.kind} ready {options.address} {options.name}", scale.live)


ble_xiaomi_scale = device_command(
    "ble-xiaomi-scale",
    XiaomiOptions,
    run_xiaomi_scale,
    "A Xiaomi scale that only broadcasts: Mi Scale, Mi Body Composition Scale, or S400 (encrypted, with a bind key).",
)
