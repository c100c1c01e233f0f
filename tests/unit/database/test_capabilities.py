"""Where readings may be compressed, and why not elsewhere."""

import pytest

from device_gateway.database.capabilities import columnstore_refused


@pytest.mark.parametrize("version", ["2.18.1", "2.19.0", "2.23.0-dev", "3.0.0"])
def test_compression_is_used_where_replays_are_safe(version: str) -> None:
    assert columnstore_refused(version, "timescale") == ()


@pytest.mark.parametrize("version", ["2.17.2", "2.18.0", "2.9.11"])
def test_compression_is_refused_where_a_replay_loses_rows(version: str) -> None:
    [reason] = columnstore_refused(version, "timescale")
    assert "timescaledb#7672" in reason
    assert version in reason


@pytest.mark.parametrize("licence", ["apache", None])
def test_builds_without_compression_say_so(licence: str | None) -> None:
    [reason] = columnstore_refused("2.19.3", licence)
    assert "Apache" in reason
