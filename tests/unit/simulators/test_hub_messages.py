"""What a simulated hub says of a weighing is what its dialect reads: two codecs that share nothing."""

from datetime import UTC, datetime

import pytest

from device_gateway.devices.topics import hub_topic
from device_gateway.ingest.dialects import RememberingDialect, dialects
from device_gateway.readings.model import Decoded, Reading
from device_simulators.mqtt.hub_messages import OPENINGS, WEIGHINGS, Heard
from device_simulators.mqtt.weighing import Weighing

HUB = "0b8e7c1e-6f2a-4f0e-9b1d-2a3c4d5e6f70"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("key", sorted(WEIGHINGS))
def test_a_weighing_is_read_as_it_was_said(key: str) -> None:
    base = hub_topic(HUB, key)
    heard = Heard(base, "5C:CA:D3:00:00:01", NOW, NOW.replace(tzinfo=None), repeats=2)
    dialect, memory = dialects()[key], dict[str, str]()
    weights = []
    opening = OPENINGS[key](heard) if key in OPENINGS else ()
    for topic, payload in (*opening, *WEIGHINGS[key](Weighing(1448, 512), heard)):
        assert topic == base or topic.startswith(base + "/"), "a hub may publish under its base topic only"
        subtopic = topic.removeprefix(base).removeprefix("/")
        if isinstance(dialect, RememberingDialect):
            decoded = dialect.decode_with(memory, subtopic, payload, NOW)
        else:
            decoded = dialect.decode(subtopic, payload, NOW)
        assert isinstance(decoded, Decoded)
        memory.update({name: text for name, text in decoded.remember.items() if text})
        assert all(isinstance(item, Reading) for item in decoded.readings)
        weights += [
            item.value for item in decoded.readings if isinstance(item, Reading) and item.metric == "body-weight"
        ]
    expected = "72.4" if key in {"theengs", "ble-scale-sync"} else "72.40"  # those publish binary floats
    assert weights == [expected] * (2 if key in {"theengs", "tasmota"} else 1)
