"""What the simulated devices send, by encoders of their own, is read back. Nothing goes on the air."""

from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from device_gateway.readings.model import Reading
from device_gateway_ble.blood_pressure import BloodPressureCuff
from device_gateway_ble.body_composition import BodyCompositionScale
from device_gateway_ble.cgm import ContinuousGlucoseMonitor
from device_gateway_ble.pulse_oximeter import PulseOximeter
from device_gateway_ble.thermometer import Thermometer
from device_gateway_ble.weight_scale import WeightScale
from device_simulators.ble import blood_pressure_cuff, body_scale, oximeter, thermometer, weight_scale
from device_simulators.ble.cgm_record import CgmRecord
from device_simulators.ble.date_time import date_time
from device_simulators.ble.measurement_memory import Taken

AT = datetime.fromisoformat("2026-11-22T07:31:05")
PLACES = {
    "_measurement": "2A35", "_cuff": "2A36", "_weight": "2A9D", "_composition": "2A9C", "_spot": "2A5E",
    "_intermediate": "2A1E",
}  # fmt: skip


def sent(simulator: Any, *, measurement: str, user: int | None = None, mtu: int = 517) -> tuple[Taken, list[Any]]:
    """One measurement, and its packets by characteristic."""
    for name, characteristic in {**PLACES, "_measurement": measurement}.items():
        setattr(simulator, name, SimpleNamespace(characteristic=characteristic))
    taken = Taken(AT, simulator.memory.waiting[0].values, user)
    return taken, [(place.characteristic, value) for place, value in simulator.packets(taken, mtu)]


def read(adapter: Any, packets: list[tuple[str, bytes]]) -> dict[str, Reading]:
    decoder = adapter.decoder()
    results = [result for packet in packets for result in decoder.feed(*packet)] + decoder.finish()
    assert all(isinstance(result, Reading) and result.at == AT for result in results), results
    found: dict[str, Reading] = {}
    for result in results:
        assert found.setdefault(result.metric, result) == result, "the same measurement twice, and not the same"
    return found


@pytest.mark.parametrize("unit", ["mmHg", "kPa"])
def test_a_simulated_cuff_is_read(unit: str) -> None:
    simulator = blood_pressure_cuff.BloodPressureCuff(blood_pressure_cuff.CuffOptions(unit=unit))
    taken, packets = sent(simulator, measurement="2A35")
    found = read(BloodPressureCuff, packets)
    factor = Decimal("0.133322") if unit == "kPa" else 1
    components = found["blood-pressure"].components or {}
    for key in ("systolic", "diastolic", "mean"):
        assert abs(Decimal(components[key]) - taken.values[key] * factor) <= Decimal("0.5")
    assert Decimal(found["heart-rate"].value or "") == taken.values["pulse"]


@pytest.mark.parametrize("mtu", [23, 517])
def test_a_simulated_body_scale_is_read_in_one_packet_or_in_two(mtu: int) -> None:
    simulator = body_scale.BodyScale(body_scale.BodyScaleOptions())
    taken, packets = sent(simulator, measurement="2A9C", mtu=mtu)
    assert len(packets) == (3 if mtu == 23 else 2)
    found = read(BodyCompositionScale, packets)
    expected = {
        "body-weight": "weight", "body-fat": "fat_percent", "muscle-mass": "muscle", "body-water-mass": "water",
    }  # fmt: skip
    for metric, key in expected.items():
        assert abs(Decimal(found[metric].value or "") - taken.values[key]) <= Decimal("0.05"), metric
    context = found["body-fat"].context or {}
    assert abs(Decimal(str(context["impedance-ohm"])) - taken.values["impedance"]) <= Decimal("0.05")
    assert {"fat-free-mass-kg", "soft-lean-mass-kg"} <= context.keys()


def test_a_simulated_scale_is_read() -> None:
    taken, packets = sent(weight_scale.WeightScale(weight_scale.WeightScaleOptions()), measurement="2A9D", user=2)
    weight = read(WeightScale, packets)["body-weight"]
    assert abs(Decimal(weight.value or "") - taken.values["weight"]) <= Decimal("0.005")
    assert (weight.context or {})["user-index"] == 2


@pytest.mark.parametrize("unit", ["Cel", "degF"])
def test_a_simulated_thermometer_is_read(unit: str) -> None:
    simulator = thermometer.Thermometer(thermometer.ThermometerOptions(unit=unit))
    taken, packets = sent(simulator, measurement="2A1C")
    found = read(Thermometer, packets)["body-temperature"]
    shown = Decimal(found.value or "")
    cel = shown if found.unit == "Cel" else (shown - 32) * 5 / 9
    assert abs(cel - taken.values["temperature"]) <= Decimal("0.05")


def test_a_simulated_oximeter_is_read() -> None:
    simulator = oximeter.Oximeter(oximeter.OximeterOptions())
    taken, packets = sent(simulator, measurement="2A5E")
    found = read(PulseOximeter, packets)
    assert Decimal(found["oxygen-saturation"].value or "") == taken.values["saturation"]
    assert Decimal(found["heart-rate"].value or "") == taken.values["pulse"]
    assert found["heart-rate"].status == "final"


@pytest.mark.parametrize("with_crc", [False, True])
def test_a_simulated_monitor_is_read(with_crc: bool) -> None:
    records = [CgmRecord(5, "112"), CgmRecord(10, "71.5", "-2.4", 88, status=2, calibration=4, warning=1)]
    decoder = ContinuousGlucoseMonitor.decoder()
    decoder.feed("2AAA", date_time(AT) + b"\x04\x00")
    plain, full = decoder.feed("2AA7", b"".join(record.measurement(with_crc=with_crc) for record in records))
    assert isinstance(plain, Reading)
    assert isinstance(full, Reading)
    assert (plain.value, plain.seq) == ("112", 5)
    assert (full.value, full.seq, full.at.isoformat()) == ("71.5", 10, "2026-11-22T07:41:05+01:00")
    context = full.context or {}
    assert (context["trend-mg-dl-min"], context["quality-percent"]) == ("-2.4", "88")
    assert context["sensor-status"] == "battery-low calibration-recommended below-patient-low"
