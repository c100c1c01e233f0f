"""Xiaomi scales heard by OpenMQTTGateway or Theengs Gateway, key ``theengs``: JSON of topic ``…/BTtoMQTT/{MAC}``.

Fields of the JSON, and where weight and impedance stand in ``servicedata``: theengs/decoder,
``src/devices/XMTZC04HM_json.h`` and ``XMTZC05HM_json.h``. That decoder skips the date, whose place is inferred: no
other gives dates of this century in the advertisements of the decoder's own tests (``tests/BLE/test_ble.cpp``).

**When was it weighed?** The decoded JSON does not say, and a scale repeats its last weighing in its advertisements for
up to 20 minutes (theengs/decoder#71). Three answers, best first:

1. ``servicedata``, the raw advertisement, has the scale's own date and time of the weighing. The product sends it when
   ``pubadvdata`` is true. As long as the scale repeats the date with the weighing, which was not checked on a real one,
   every repetition is the same reading, and is stored once.
2. ``unixtime`` or ``UTCtime``, when the product was built to send it: the time at which the gateway heard it. A message
   that the broker delivers twice is stored once; a repetition by the scale is a reading of its own.
3. The time at which we received the message: each delivery is a reading of its own. Nothing in such a message tells a
   repetition from a second weighing, and a window of time would be a guess.

2 and 3 are marked in the context: ``effective-time`` is ``heard`` or ``received``.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar, Final

import msgspec

from device_gateway.readings.model import ContextValue, Decoded, Model, Reading, Rejected
from device_gateway_mqtt.problem import UNREADABLE, rejection

HEARD_OVER_BLUETOOTH: Final = "BTtoMQTT"  # the level of the topic below which both products publish devices
NOTHING: Final = Decoded([])

# model_id ▸ where the seven octets of the date stand in the service data: behind control octet and weight (0x181D), or
# behind two control octets (0x181B). Older versions of the decoder name one model, newer ones a pair.
DATE_AT: Final = {"XMTZC01HM": 3, "XMTZC04HM": 3, "XMTZC02HM": 2, "XMTZC05HM": 2}
FIRST_YEAR: Final = 2015  # the year of the first of these scales; a clock that was never set shows 1970

# Unit as sent ▸ UCUM code, and what to multiply by. A jin is half a kilogram exactly and has no UCUM code.
UNITS: Final = {
    "kg": ("kg", Decimal(1)),
    "lb": ("[lb_av]", Decimal(1)),
    "lbs": ("[lb_av]", Decimal(1)),
    "jin": ("kg", Decimal("0.5")),
}
MAC: Final = re.compile(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}", re.ASCII)
MOST_DIGITS: Final = 12  # of a weight, on either side of the point; scales print two decimals


class _Kind(msgspec.Struct):
    """Enough of a message to know whether it is about one of our scales: its other fields may be anything."""

    model_id: str = ""


class _Heard(msgspec.Struct, rename={"utc_time": "UTCtime", "unix_time": "unixtime", "service_data": "servicedata"}):
    id: str = ""
    model_id: str = ""
    weighing_mode: str = "person"  # older versions of the decoder do not send it
    unit: str = ""
    weight: Decimal | None = None
    impedance: int | None = None
    service_data: str = ""
    unix_time: int = 0
    utc_time: datetime | None = None


_KIND: Final = msgspec.json.Decoder(_Kind)
_HEARD: Final = msgspec.json.Decoder(_Heard)


class TheengsDialect:
    """OpenMQTTGateway and Theengs Gateway, as hubs for Xiaomi scales."""

    transport: ClassVar[str] = "mqtt"
    key: ClassVar[str] = "theengs"
    models: ClassVar[tuple[Model, ...]] = (
        Model(
            "theengs-hub",
            "hub",
            "OpenMQTTGateway or Theengs Gateway",
            (
                ("OpenMQTTGateway: MQTT base topic", "{base}/"),
                ("OpenMQTTGateway: pubadvdata", "true"),
                ("Theengs Gateway: publish_topic", "{base}/TheengsGateway/BTtoMQTT"),
                ("Theengs Gateway: publish_advdata", "1"),
            ),
        ),
        Model("xiaomi-mi-scale", "device", "Xiaomi Mi Smart Scale (XMTZC01HM, XMTZC04HM)"),
        Model("xiaomi-mi-body-scale", "device", "Xiaomi Mi Body Composition Scale (XMTZC02HM, XMTZC05HM)"),
    )

    def decode(self, subtopic: str, payload: bytes, received_at: datetime) -> Decoded | Rejected:
        """A person's weight, of the scale named by its hardware address in upper case with colons.

        Other messages of these products, and other devices in the neighbourhood, hold no readings. Never raises.
        """
        if HEARD_OVER_BLUETOOTH not in subtopic.split("/"):
            return NOTHING
        try:
            if _date_at(_KIND.decode(payload).model_id) is None:
                return NOTHING
            return _weighing(_HEARD.decode(payload), received_at)
        except UNREADABLE as error:
            return rejection(error)


def _date_at(model_id: str) -> int | None:
    """Where the date stands in the service data of such a scale; None for any other model."""
    return next((DATE_AT[name] for name in model_id.split("/") if name in DATE_AT), None)


def _weighing(heard: _Heard, received_at: datetime) -> Decoded | Rejected:
    if heard.weight is None or heard.weighing_mode != "person":
        return NOTHING  # not settled yet, or a suitcase
    address = heard.id.upper()
    if not MAC.fullmatch(address):
        return Rejected("/id", "a hardware address like AA:BB:CC:DD:EE:FF is needed")
    if heard.unit not in UNITS:
        return Rejected("/unit", f"one of {', '.join(UNITS)} is needed")
    unit, factor = UNITS[heard.unit]
    if not heard.weight.is_finite() or not -MOST_DIGITS <= heard.weight.adjusted() <= MOST_DIGITS:
        return Rejected("/weight", "not the weight of a person")
    at, source = _time(heard, received_at)
    context: dict[str, ContextValue] = {}
    if heard.impedance is not None:
        context["impedance-ohm"] = heard.impedance
    if source:
        context["effective-time"] = source
    return Decoded(
        [
            Reading(
                metric="body-weight",
                unit=unit,
                at=at,
                value=f"{heard.weight * factor:f}",
                device=address,
                context=context or None,
            )
        ]
    )


def _time(heard: _Heard, received_at: datetime) -> tuple[datetime, str | None]:
    """(effective time, where it is from); naive and None when it is the scale's own."""
    if own := _weighed_at(heard):
        return own, None
    if heard.utc_time and heard.utc_time.year >= FIRST_YEAR:
        at = heard.utc_time
        return (at if at.tzinfo else at.replace(tzinfo=UTC)), "heard"
    try:
        at = datetime.fromtimestamp(heard.unix_time, UTC)
    except (OverflowError, ValueError, OSError):
        return received_at, "received"
    return (at, "heard") if at.year >= FIRST_YEAR else (received_at, "received")


def _weighed_at(heard: _Heard) -> datetime | None:
    """The scale's wall clock in the advertisement: year (2 octets, little endian), month, day, hour, minute, second."""
    start = _date_at(heard.model_id)
    try:
        octets = bytes.fromhex(heard.service_data)[start:][:7]
        at = datetime(int.from_bytes(octets[:2], "little"), *octets[2:])  # noqa: DTZ001  a device's clock has no zone
    except (TypeError, ValueError):
        return None
    return at if len(octets) == 7 and at.year >= FIRST_YEAR else None
