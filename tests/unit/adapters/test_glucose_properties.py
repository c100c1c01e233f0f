"""Properties: what an independent encoder writes is read back exactly, and no octets make the decoder raise."""

import struct
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from device_gateway.readings.model import Reading, Rejected
from device_gateway_ble.glucose import GlucoseDecoder
from device_gateway_ble.medfloat import Special, parse_sfloat
from device_simulators.ble.glucose_record import GlucoseRecord
from device_simulators.ble.sfloat import encode_sfloat

SPECIAL_WORDS = {0x07FE, 0x07FF, 0x0800, 0x0801, 0x0802}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


mantissas = st.integers(-2048, 2047)
exponents = st.integers(-8, 7)
moments = st.datetimes(_moment("1583-01-01"), _moment("9990-01-01")).map(lambda moment: moment.replace(microsecond=0))


@settings(deadline=None)  # a busy machine is no fault of the code
@given(mantissas, exponents)
def test_every_sfloat_is_read_with_its_digits(mantissa: int, exponent: int) -> None:
    word = (exponent & 0xF) << 12 | mantissa & 0xFFF
    parsed = parse_sfloat(word)
    if word in SPECIAL_WORDS:
        assert parsed is Special(word)
        return
    assert not isinstance(parsed, Special)
    assert parsed.as_tuple().exponent == exponent
    assert parsed == Decimal(mantissa).scaleb(exponent)
    assert encode_sfloat(parsed) == struct.pack("<H", word)


@settings(deadline=None)  # a busy machine is no fault of the code
@given(
    seq=st.integers(0, 0xFFFF),
    base=moments,
    offset=st.none() | st.integers(-32767, 32766),
    mantissa=st.integers(0, 2045),
    exponent=exponents,
    in_moles=st.booleans(),
    kind=st.integers(1, 9),
    location=st.sampled_from([1, 2, 3, 15]),
    status=st.none() | st.integers(0, 0x0FFF),
)
def test_a_measurement_is_read_back_exactly(
    *, seq: int, base: datetime, offset: int | None, mantissa: int, exponent: int, in_moles: bool, kind: int,
    location: int, status: int | None,
) -> None:  # fmt: skip
    data = struct.pack("<BH", 2 | (offset is not None) | in_moles << 2 | (status is not None) << 3, seq)
    data += struct.pack("<HBBBBB", base.year, base.month, base.day, base.hour, base.minute, base.second)
    data += b"" if offset is None else struct.pack("<h", offset)
    data += struct.pack("<HB", (exponent & 0xF) << 12 | mantissa, location << 4 | kind)
    data += b"" if status is None else struct.pack("<H", status)
    (reading,) = GlucoseDecoder().feed("2A18", data)
    assert isinstance(reading, Reading)
    assert reading.seq == seq
    assert reading.at == base + timedelta(minutes=offset or 0)
    assert reading.unit == ("mmol/L" if in_moles else "mg/dL")
    assert reading.value is not None
    assert Decimal(reading.value) == mantissa * Decimal(10) ** (exponent + (3 if in_moles else 5))
    assert "E" not in reading.value.upper()
    assert (reading.metric == "interstitial-glucose") is (kind == 9)
    names = str((reading.context or {}).get("sensor-status", "")).split()
    assert len(names) == (status or 0).bit_count()


@settings(deadline=None)  # a busy machine is no fault of the code
@given(
    st.integers(1, 0xFFFF),
    st.datetimes(_moment("2000-01-01"), _moment("2099-01-01")).map(lambda moment: moment.replace(microsecond=0)),
    st.integers(20, 600),
    st.sampled_from([None, 1, 2, 3, 4, 5]),
)
def test_what_the_simulated_meter_sends_is_read_back(seq: int, at: datetime, mg_dl: int, meal: int | None) -> None:
    record = GlucoseRecord(seq=seq, base_time=at, value=str(mg_dl), meal=meal)
    decoder = GlucoseDecoder()
    results = decoder.feed("2A18", record.measurement())
    context = record.context()
    if context is not None:
        assert results == []
        results = decoder.feed("2A34", context)
    (reading,) = results
    assert isinstance(reading, Reading)
    assert (reading.seq, reading.at, reading.value) == (seq, at, str(mg_dl))
    assert ("meal" in (reading.context or {})) is (meal is not None)


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.lists(st.tuples(st.sampled_from(["2A18", "2A34", "2a19", "x"]), st.binary(max_size=24)), max_size=12))
def test_no_octets_make_the_decoder_raise_and_no_packet_is_unaccounted_for(packets: list[tuple[str, bytes]]) -> None:
    decoder = GlucoseDecoder()
    for characteristic, data in packets:
        results = decoder.feed(characteristic, data)
        decoder.record_of(characteristic, data)
        assert results or decoder.waiting
        for result in results:
            if isinstance(result, Rejected):
                assert result.pointer
                assert result.reason
                assert decoder.packets
    assert not any(isinstance(result, Rejected) for result in decoder.finish())


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.binary(min_size=13, max_size=17), st.integers(0, 0x1F))
def test_a_plausible_packet_of_any_content_is_a_reading_or_a_refusal(data: bytes, flags: int) -> None:
    packet = bytes([flags]) + data
    decoder = GlucoseDecoder()
    results = decoder.feed("2A18", packet) + decoder.finish()
    assert len(results) == 1
