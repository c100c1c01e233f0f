"""A worker's figures: what they count, and where they are to be read."""

import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from fault_world import free_ports

from device_gateway.errors import PortTaken
from device_gateway.ingest.figures import Figures
from device_gateway.ingest.message import Message


@pytest.fixture
def figures() -> Figures:
    return Figures(waiting=lambda: 7, slots=lambda: 2)


def read(address: str) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_a_batch_is_counted_by_outcome_and_nothing_tells_whose_it_was(figures: Figures) -> None:
    came = datetime.now(UTC) - timedelta(seconds=3)
    messages = [Message("dg/v1/00/secret-device/readings", b"72.40", came) for _ in range(3)]
    [port] = free_ports(1)
    with figures.served(f"127.0.0.1:{port}"):
        figures.committed(messages, Counter(stored=5, duplicate=1, rejected=2, quarantined=1), 0.03)
        figures.kept()
        found = read(f"127.0.0.1:{port}")
    outcomes = {name: value for name, value in found.items() if name.startswith("dg_ingest_outcomes_total")}
    assert outcomes == {
        f'dg_ingest_outcomes_total{{outcome="{outcome}"}}': count
        for outcome, count in [("stored", 5), ("duplicate", 1), ("corrected", 0), ("rejected", 2), ("quarantined", 1)]
    }
    assert (found["dg_ingest_messages_total"], found["dg_ingest_retries_total"]) == (3, 1)
    assert (found["dg_ingest_waiting_messages"], found["dg_ingest_slots"]) == (7, 2)
    assert found["dg_ingest_lag_seconds_sum"] >= 3
    assert found['dg_ingest_commit_seconds_bucket{le="0.05"}'] == 1
    assert "secret" not in str(found)


def test_nobody_listens_unless_an_address_is_set(figures: Figures) -> None:
    with figures.served(""):
        figures.committed([Message("t", b"", datetime.now(UTC))], Counter(stored=1), 0.01)


def test_an_address_that_is_taken_is_named(figures: Figures) -> None:
    [port] = free_ports(1)
    with (
        figures.served(f"127.0.0.1:{port}"),
        pytest.raises(PortTaken, match=f"DEVICE_GATEWAY_INGEST_METRICS: nothing can listen at 127.0.0.1:{port}"),
        Figures(waiting=int, slots=int).served(f"127.0.0.1:{port}"),
    ):
        pass
