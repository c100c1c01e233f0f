"""Two codecs that share nothing: what a simulated device measured is what an adapter reads."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from device_gateway.readings.model import Reading
from device_gateway_ble.blood_pressure import BloodPressureCuff as CuffAdapter
from device_gateway_ble.body_composition import BodyCompositionScale
from device_gateway_ble.cgm import ContinuousGlucoseMonitor
from device_gateway_ble.pulse_oximeter import PulseOximeter
from device_gateway_ble.thermometer import Thermometer as ThermometerAdapter
from device_gateway_ble.weight_scale import WeightScale as WeightScaleAdapter
from device_simulators.ble.blood_pressure_cuff import BloodPressureCuff, CuffOptions
from device_simulators.ble.body_scale import BodyScale, BodyScaleOptions
from device_simulators.ble.cgm import Cgm, CgmOptions
from device_simulators.ble.measuring_device import MeasuringDevice
from device_simulators.ble.oximeter import Oximeter, OximeterOptions
from device_simulators.ble.thermometer import Thermometer, ThermometerOptions
from device_simulators.ble.weight_scale import WeightScale, WeightScaleOptions

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def read(device: MeasuringDevice, adapter: Any, characteristics: dict[str, str], mtu: int = 517) -> list[list[Reading]]:
    """What the adapter makes of each waiting measurement; `characteristics` by the attribute that holds them."""
    for attribute, number in characteristics.items():
        setattr(device, attribute, number)  # not on the air: a name will do
    decoder = adapter.decoder()
    found = [
        [
            reading
            for characteristic, value in device.packets(taken, mtu)
            for reading in decoder.feed(characteristic, value, NOW)
        ]
        for taken in device.memory.waiting
    ]
    assert decoder.finish() == []
    assert all(isinstance(reading, Reading) for readings in found for reading in readings)
    return found


def number(readings: list[Reading], metric: str) -> Decimal:
    return next(Decimal(reading.value or "NaN") for reading in readings if reading.metric == metric)


@pytest.mark.parametrize("users", [0, 2])
def test_weights_are_read_as_they_were_measured(users: int) -> None:
    scale = WeightScale(WeightScaleOptions(records=30, users=users))
    found = read(scale, WeightScaleAdapter, {"_weight": "2A9D"})
    for taken, readings in zip(scale.memory.waiting, found, strict=True):
        assert abs(number(readings, "body-weight") - taken.values["weight"]) <= Decimal("0.0025")
        assert readings[0].at == taken.at


@pytest.mark.parametrize(("unit", "mtu"), [("kg", 517), ("kg", 23), ("lb", 517), ("lb", 23)])
def test_body_compositions_are_read_from_one_packet_and_from_two(unit: str, mtu: int) -> None:
    scale = BodyScale(BodyScaleOptions(records=20, unit=unit, patient="adult#007"))
    found = read(scale, BodyCompositionScale, {"_composition": "2A9C", "_weight": "2A9D"}, mtu)
    for taken, readings in zip(scale.memory.waiting, found, strict=True):
        assert number(readings, "body-fat") == taken.values["fat_percent"]
        kg = number(readings, "body-weight") * (1 if unit == "kg" else Decimal("0.45359237"))
        assert abs(kg - taken.values["weight"]) <= Decimal("0.0025")
        assert {reading.at for reading in readings} == {taken.at}


def test_blood_pressures_are_read_as_they_were_measured() -> None:
    cuff = BloodPressureCuff(CuffOptions(records=30))
    for taken, readings in zip(cuff.memory.waiting, read(cuff, CuffAdapter, {"_measurement": "2A35"}), strict=True):
        sent = {name: str(taken.values[name]) for name in ("systolic", "diastolic", "mean")}
        assert readings[0].components == sent
        assert number(readings, "heart-rate") == taken.values["pulse"]


def test_temperatures_are_read_with_their_digits() -> None:
    device = Thermometer(ThermometerOptions(records=30))
    for taken, readings in zip(
        device.memory.waiting, read(device, ThermometerAdapter, {"_measurement": "2A1C"}), strict=True
    ):
        assert (readings[0].value, readings[0].at) == (str(taken.values["temperature"]), taken.at)


def test_saturations_are_read_as_they_were_measured() -> None:
    device = Oximeter(OximeterOptions(records=30))
    for taken, readings in zip(device.memory.waiting, read(device, PulseOximeter, {"_spot": "2A5E"}), strict=True):
        assert number(readings, "oxygen-saturation") == taken.values["saturation"]
        assert number(readings, "heart-rate") == taken.values["pulse"]


@pytest.mark.parametrize("crc", [False, True])
def test_a_session_is_read_with_its_time_offsets(crc: bool) -> None:
    cgm = Cgm(CgmOptions(records=40, crc=crc))
    decoder = ContinuousGlucoseMonitor.decoder()
    nobody: Any = None  # who reads makes no difference
    for characteristic, read_value in (
        ("2AA8", cgm._on_feature),
        ("2AA9", cgm._on_status),
        ("2AAA", cgm._on_start_read),
    ):
        assert decoder.feed(characteristic, read_value(nobody), NOW) == []
    packet = cgm._packet(cgm.memory.records)
    found = decoder.feed("2AA7", packet, NOW)
    assert [(reading.seq, reading.value) for reading in found if isinstance(reading, Reading)] == [
        (record.seq, record.mg_dl) for record in cgm.memory.records
    ]
