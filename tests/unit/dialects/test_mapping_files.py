"""Mapping files: what is wrong in one is said with its place, before anything is ingested."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device_gateway.devices.models import known_models
from device_gateway.errors import BadSetting
from device_gateway.ingest import dialects as module
from device_gateway.ingest.dialects import dialects, use_mappings
from device_gateway.readings.model import Decoded, Reading, Rejected
from device_gateway_mqtt.mapping import mapping_of
from device_gateway_mqtt.mapping_file import BadMapping

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
GOOD = """
key = "acme"
hub = "Acme bridge"
[setup]
topic = "{base}/x"
[[model]]
key = "acme-scale"
name = "Acme scale"
[[message]]
topic = "{room}/{device}/state"
device = "{room}-{device}"
time = { path = "$.ts", format = "unix-ms" }
[[message.reading]]
metric = "body-weight"
value = "$.mass.value"
unit = { path = "$.mass.unit", table = { kg = "kg", lb = "[lb_av]" } }
context = { user = "$.user" }
"""


@pytest.fixture(autouse=True)
def no_file_stays() -> Iterator[None]:
    yield
    module._ADDED.clear()
    for cached in (module.adapters, module.dialects, module.remembering, known_models):
        cached.cache_clear()


def test_a_file_makes_readings_of_a_product_that_nobody_wrote_code_for() -> None:
    payload = b'{"ts": 1795248000500, "mass": {"value": 160.50, "unit": "lb"}, "user": "ana"}'
    assert mapping_of(GOOD).decode("bath/scale/state", payload, NOW) == Decoded(
        [
            Reading(
                "body-weight", "[lb_av]", datetime(2026, 11, 21, 8, 0, 0, 500_000, UTC), "160.50",
                device="bath-scale", context={"user": "ana"},
            )
        ]
    )  # fmt: skip


def test_a_unit_that_the_file_does_not_know_is_refused() -> None:
    decoded = mapping_of(GOOD).decode("a/b/state", b'{"mass": {"value": 1, "unit": "stone"}}', NOW)
    assert isinstance(decoded, Decoded)
    (item,) = decoded.readings
    assert isinstance(item, Rejected)
    assert item.pointer == "/unit"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("[[message]]", "[[message"), "not TOML"),
        (('key = "acme"', 'key = "own"'), "key: 'own'"),
        (('hub = "Acme bridge"', ""), "hub"),
        (('hub = "Acme bridge"', 'hub = "Acme bridge"\nhubs = 1'), "hubs"),
        (('key = "acme-scale"', 'key = "scale"'), "model[0].key"),
        (("{base}/x", "{bass}/x"), "setup.topic"),
        (("{room}/{device}/state", "{room}/{device}/+"), "message[0].topic"),
        (('device = "{room}-{device}"', 'device = "{who}"'), "message[0].device"),
        (('"$.mass.value"', '"mass.value"'), "message[0].reading[0]: 'mass.value'"),
        (('"$.mass.value"', '"$..value"'), "several values"),
        (('metric = "body-weight"', 'metric = "weight"'), "message[0].reading[0].metric"),
        (('lb = "[lb_av]"', 'lb = "lb"'), "message[0].reading[0].unit: body-weight is measured in kg"),
        (('metric = "body-weight"', 'metric = "blood-pressure"'), "message[0].reading[0]"),
        (('format = "unix-ms"', 'format = "unix"'), "message[0].time.format"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(change: tuple[str, str], told: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(BadMapping) as raised:
        mapping_of(GOOD.replace(*change))
    assert told in str(raised.value)


def test_files_of_the_directory_are_dialects_and_their_models_can_be_paired(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(GOOD, "utf-8")
    use_mappings(tmp_path)
    known_models.cache_clear()
    assert dialects()["acme"].key == "acme"
    assert known_models()["acme-hub"].model.setup == (("topic", "{base}/x"),)
    assert not known_models()["acme-scale"].stands_alone
    assert "zigbee2mqtt" in dialects(), "the shipped ones stay"


def test_a_file_takes_the_place_of_a_shipped_one_with_its_key(tmp_path: Path) -> None:
    text = GOOD.replace('"acme', '"zigbee2mqtt')
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    use_mappings(tmp_path)
    assert {model.key for model in dialects()["zigbee2mqtt"].models} == {"zigbee2mqtt-hub", "zigbee2mqtt-scale"}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("bad.toml", "key =", "bad.toml"),
        ("taken.toml", GOOD.replace('"acme', '"theengs'), "taken.toml"),
        ("notes.txt", "", "no file that ends in .toml"),
    ],
)
def test_a_process_does_not_start_with_a_bad_directory(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(BadSetting) as raised:
        use_mappings(tmp_path)
    assert told in str(raised.value)
    with pytest.raises(BadSetting, match="no directory"):
        use_mappings(tmp_path / "nowhere")
