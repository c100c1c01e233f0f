"""A server that has TimescaleDB, whatever the other tests run on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from timescale_server import TimescaleServer


@pytest.fixture(scope="session")
def timescale_root(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    return request.config.getoption("--timescaledb") or tmp_path_factory.mktemp("timescaledb") / "root"


@pytest.fixture
def idle_timescale(timescale_root: Path) -> Iterator[TimescaleServer]:
    """A cluster that was never started with TimescaleDB."""
    server = TimescaleServer(timescale_root)
    server.initialise()
    yield server
    server.stop()
