"""Xiaomi scales, which broadcast their measurements and are never connected to: the adapter ``ble-xiaomi-scale``.

- Mi Smart Scale (service data of 0x181D) and Mi Body Composition Scale (0x181B): not encrypted, with the date and time
  of the weighing. Layout: custom-components/ble_monitor ``miscale.py``; date and objects, a suitcase for instance,
  which are no reading: theengs/decoder ``tests/BLE/test_ble.cpp``.
- Body Composition Scale S400 (object 0x6E16) and Smart Scale S200 (0x4E16): MiBeacon, encrypted; the scale's clock in
  Unix seconds. Layout: Bluetooth-Devices/xiaomi-ble ``parser.py``; clock: oliexdev/openScale pull request 1520.

A scale repeats a broadcast many times, also when nobody stands on it any more. With the scale's own time each
repetition is the same reading, stored once. The time of a MiBeacon scale is often wrong: it counts only within
`CLOCK_TOLERANCE` of that of receipt, and otherwise, as with a Mi Scale whose clock was never set, the time of receipt
does, marked in the context; then it is for the receiver to drop repetitions, by `measurement_of`. What a scale shows
before it has settled is no reading.

Context keys: ``impedance-ohm`` (at 50 kHz for an S400), ``user-index`` (the scale's own profile), ``effective-time``.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Final

from device_gateway.readings.model import Model, Rejected
from device_gateway_ble import mibeacon
from device_gateway_ble.measuring import Context, Facts, Packet, Results, effective_time, reading
from device_gateway_ble.medfloat import decimal_text
from device_gateway_ble.octets import Octets, RefusedField
from device_gateway_ble.uuids import short

SERVICES: Final = ("181D", "181B", mibeacon.SERVICE)
S400_PRODUCTS: Final = (0x30D9, 0x3BD5, 0x48CF, 0x4B05, 0x4FC2)
S200_PRODUCTS: Final = (0x45C9, 0x4C04, 0x4DCB)
_S400_OBJECT: Final = 0x6E16
_S200_OBJECT: Final = 0x4E16

MI_SCALE: Final = Model("ble-xiaomi-mi-scale", "device", "Xiaomi Mi scale")
S400: Final = Model("ble-xiaomi-s400", "device", "Xiaomi S400 or S200 scale")

CLOCK_TOLERANCE: Final = timedelta(minutes=10)  # a broadcast follows the weighing within seconds
FIRST_YEAR: Final = 2015  # the year of the first of these scales; a clock that was never set shows an earlier one

_POUNDS, _STABLE, _OBJECT, _REMOVED = 0x01, 0x20, 0x40, 0x80  # of a Mi Smart Scale's control octet
_HAS_IMPEDANCE, _BODY_JIN = 0x02, 0x40  # of a Mi Body Composition Scale's second octet, which has the same _STABLE …
_BODY_KG, _BODY_POUNDS, _BODY_OBJECT = 2, 3, 0x04  # and of its first
_IMPEDANCES: Final = range(1, 3000)  # ohm: above are marks of a measurement that failed
_KILOGRAM: Final = Decimal("0.005")  # per count; a jin is half a kilogram, and has no UCUM code
_POUND: Final = Decimal("0.01")

_NO_WEIGHT: Final = 0x7FF
_HEART_RATES: Final = range(1, 127)  # 0 and 127 stand for none
_HEART_RATE_BASE: Final = 50


def decode_advertisement(
    service_data: Mapping[str, bytes],
    manufacturer_data: Mapping[int, bytes],  # noqa: ARG001  no scale that we know uses it; a scanner has it at hand
    received_at: datetime,
    bind_key: bytes | None,
    address: str | None = None,
) -> Results:
    """The readings in one advertisement; none where it is no scale's, or no weighing. Never raises.

    `service_data` by UUID (16-bit or 128-bit); `received_at` is aware; `bind_key` has 16 octets; `address` is the
    sender's hardware address, which an S400 leaves out of its frames.
    """
    kinds = {short(uuid): data for uuid, data in service_data.items()}
    return [
        result
        for kind in SERVICES
        if kind in kinds
        for result in _decoded(kind, kinds[kind], received_at, bind_key, address)
    ]


def measurement_of(service_data: Mapping[str, bytes], bind_key: bytes | None, address: str | None) -> bytes | None:
    """The scale's own clock at the weighing, as it stands in each broadcast of it, and whose weighing it is.

    None where there is no weighing, and where nobody ever set the clock. Never raises.
    """
    kind, data = _scale_data(service_data)
    try:
        match kind:
            case "181D":
                return data[3:10] if _runs(_shown(data[3:10])) else None
            case "181B":
                return data[2:9] if _runs(_shown(data[2:9])) else None
            case mibeacon.SERVICE:
                objects = mibeacon.parse_frame(data, bind_key, address).objects
                found = objects.get(_S400_OBJECT) or objects.get(_S200_OBJECT)
                clock = int.from_bytes((found or b"")[-4:], "little")
                return found[:1] + found[-4:] if found and _runs(datetime.fromtimestamp(clock, UTC)) else None
            case _:
                return None
    except RefusedField:
        return None


class BroadcastDecoder:
    """Takes service data as other decoders take notifications: the service's UUID in the place of a characteristic's.

    Never raises, whatever the bytes are.
    """

    def __init__(self, bind_key: bytes | None, address: str | None) -> None:
        self._bind_key = bind_key
        self._address = address
        self.packets: tuple[Packet, ...] = ()

    @property
    def waiting(self) -> Collection[int]:
        """Sequence numbers of what needs a further broadcast."""
        return ()

    @staticmethod
    def record_of(characteristic: str, data: bytes) -> int | None:  # noqa: ARG004  part of what a decoder offers
        """None: these scales number nothing."""
        return None

    def feed(self, characteristic: str, data: bytes, received_at: datetime | None = None) -> Results:
        """The readings in the service data of one broadcast; none where it is no weighing."""
        kind = short(characteristic)
        self.packets = ((kind, data),)
        if kind not in SERVICES:
            return [Rejected("/characteristic", f"the adapter ble-xiaomi-scale does not decode {kind}")]
        return _decoded(kind, data, received_at, self._bind_key, self._address)

    def finish(self) -> Results:
        """Nothing: each broadcast is whole in itself."""
        self.packets = ()
        return []


def _decoded(
    kind: str, data: bytes, received_at: datetime | None, bind_key: bytes | None, address: str | None
) -> Results:
    try:
        match kind:
            case "181D":
                return _smart_scale(data, received_at)
            case "181B":
                return _body_scale(data, received_at)
            case _:
                return _mibeacon_scale(data, received_at, bind_key, address)
    except RefusedField as refused:
        return [Rejected(refused.pointer, refused.reason)]


def _smart_scale(data: bytes, received_at: datetime | None) -> Results:
    octets = Octets(data)
    control = octets.unsigned(1, "/control")
    weight = octets.unsigned(2, "/weight")
    at, context = _weighed_at(octets, received_at)
    octets.end()
    if control & _OBJECT or not _counts(control, context):
        return []
    return _weight(weight, bool(control & _POUNDS), at, context)


def _body_scale(data: bytes, received_at: datetime | None) -> Results:
    octets = Octets(data)
    unit = octets.unsigned(1, "/unit")
    control = octets.unsigned(1, "/control")
    at, context = _weighed_at(octets, received_at)
    impedance = octets.unsigned(2, "/impedance")
    weight = octets.unsigned(2, "/weight")
    octets.end()
    if unit & _BODY_OBJECT or not _counts(control, context):
        return []
    if unit not in (_BODY_KG, _BODY_POUNDS) and not control & _BODY_JIN:
        raise RefusedField("/unit", f"unknown unit {unit}")
    if control & _HAS_IMPEDANCE and impedance in _IMPEDANCES:
        context["impedance-ohm"] = str(impedance)
    return _weight(weight, unit == _BODY_POUNDS and not control & _BODY_JIN, at, context)


def _counts(control: int, context: Context) -> bool:
    """Whether it is a weighing, and a repetition after the person stepped off only where it is known as one."""
    return bool(control & _STABLE) and not (control & _REMOVED and "effective-time" in context)


def _weight(count: int, in_pounds: bool, at: datetime, context: Context) -> Results:
    text = decimal_text(count * (_POUND if in_pounds else _KILOGRAM))
    return [reading("body-weight", text, "[lb_av]" if in_pounds else "kg", at, context)]


def _weighed_at(octets: Octets, received_at: datetime | None) -> tuple[datetime, Context]:
    """The scale's wall clock (naive), or the time of receipt, marked."""
    shown = _shown(octets.take(7, "/time"))
    context: Context = {}
    return effective_time(shown if _runs(shown) else None, received_at, context), context


def _runs(shown: datetime | None) -> bool:
    """Whether the clock shows a time at which there were such scales: otherwise nobody ever set it."""
    return shown is not None and shown.year >= FIRST_YEAR


def _shown(raw: bytes) -> datetime | None:
    """The wall clock in these octets; None where they are no date."""
    try:
        return datetime(int.from_bytes(raw[:2], "little"), *raw[2:])  # noqa: DTZ001  a device's clock has no zone
    except (ValueError, TypeError):
        return None


def _scale_data(service_data: Mapping[str, bytes]) -> tuple[str | None, bytes]:
    """The service and its data that make the sender such a scale; None where nothing does."""
    for uuid, data in service_data.items():
        kind = short(uuid)
        if (kind, len(data)) in {("181D", 10), ("181B", 13)}:
            return kind, data
        if kind == mibeacon.SERVICE and mibeacon.product_of(data) in (*S400_PRODUCTS, *S200_PRODUCTS):
            return kind, data
    return None, b""


def _mibeacon_scale(data: bytes, received_at: datetime | None, bind_key: bytes | None, address: str | None) -> Results:
    product = mibeacon.product_of(data)
    if product not in S400_PRODUCTS and product not in S200_PRODUCTS:
        return []  # some other product of the same maker
    frame = mibeacon.parse_frame(data, bind_key, address)
    if _S400_OBJECT in frame.objects:
        return _s400(Octets(frame.objects[_S400_OBJECT]), received_at)
    if _S200_OBJECT in frame.objects:
        return _s200(Octets(frame.objects[_S200_OBJECT]), received_at)
    return []


def _s400(octets: Octets, received_at: datetime | None) -> Results:
    """Weight (0.1 kg), heart rate (50 more) and impedance (0.1 ohm) share 32 bits: 11, 7 and 14 of them."""
    context: Context = {"user-index": octets.unsigned(1, "/profile")}
    packed = octets.unsigned(4, "/measurement")
    at = _clock(octets, received_at, context)
    mass, heart_rate, impedance = packed & 0x7FF, packed >> 11 & 0x7F, packed >> 18
    if mass in (0, _NO_WEIGHT):
        return []  # the impedance at 250 kHz, which is nothing without its weight; or all 0: the person stepped off
    results: Results = []
    if heart_rate in _HEART_RATES:
        results.append(reading("heart-rate", str(heart_rate + _HEART_RATE_BASE), "/min", at, context))
    if impedance:
        context["impedance-ohm"] = decimal_text(Decimal(impedance), -1)
    return [reading("body-weight", decimal_text(Decimal(mass), -1), "kg", at, context), *results]


def _s200(octets: Octets, received_at: datetime | None) -> Results:
    context: Context = {"user-index": octets.unsigned(1, "/profile")}
    weight = octets.unsigned(4, "/weight")
    at = _clock(octets, received_at, context)
    return [reading("body-weight", decimal_text(Decimal(weight), -2), "kg", at, context)] if weight else []


def _clock(octets: Octets, received_at: datetime | None, context: Context) -> datetime:
    shown = datetime.fromtimestamp(octets.unsigned(4, "/time"), UTC)
    octets.end()
    if received_at is None or abs(shown - received_at) > CLOCK_TOLERANCE:
        return effective_time(None, received_at, context)
    return shown.astimezone(received_at.tzinfo)


class XiaomiScale:
    """What the gateway needs to know of such a scale. It is only listened to."""

    key: ClassVar[str] = "ble-xiaomi-scale"
    transport: ClassVar[str] = "ble"
    broadcasts: ClassVar[bool] = True
    models: ClassVar[tuple[Model, ...]] = (MI_SCALE, S400)
    notifies: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[str, ...]] = ("body-weight", "heart-rate")

    @classmethod
    def matches(cls, service_uuids: Collection[str]) -> bool:  # noqa: ARG003  part of what an adapter offers
        """False: these scales are known by their service data. See `model_of`."""
        return False

    @staticmethod
    def model_of(service_data: Mapping[str, bytes]) -> str | None:
        """The key of the model whose service data these are; None for any other device."""
        kind, _ = _scale_data(service_data)
        if kind is None:
            return None
        return S400.key if kind == mibeacon.SERVICE else MI_SCALE.key

    @staticmethod
    def is_encrypted(service_data: Mapping[str, bytes]) -> bool:
        """Whether the bind key is needed: of the frames of a MiBeacon scale those with a weighing are encrypted."""
        return _scale_data(service_data)[0] == mibeacon.SERVICE

    @staticmethod
    def is_settling(service_data: Mapping[str, bytes]) -> bool:
        """Whether somebody stands on a Mi Scale that has not settled yet. A MiBeacon scale does not tell."""
        kind, data = _scale_data(service_data)
        control = {"181D": data[:1], "181B": data[1:2]}.get(kind or "", b"")
        return bool(control) and not control[0] & (_STABLE | _REMOVED)

    decode_advertisement = staticmethod(decode_advertisement)
    measurement_of = staticmethod(measurement_of)

    @classmethod
    def characteristics(cls) -> Collection[str]:
        """The services whose data the adapter decodes, 16 bits in hex."""
        return SERVICES

    @classmethod
    def decoder(cls, bind_key: bytes | None = None, address: str | None = None) -> BroadcastDecoder:
        """A decoder for one scale."""
        return BroadcastDecoder(bind_key, address)

    @classmethod
    def facts(cls, characteristic: str, data: bytes) -> Facts | Rejected | None:  # noqa: ARG003  part of the seam
        """None: these scales say nothing about themselves."""
        return None
