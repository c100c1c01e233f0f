"""One database for each module: what its tests put into it differs by space and hub."""

from collections.abc import Iterator

import pytest
from ingest_world import World, fresh_world

from device_gateway.database.embedded import EmbeddedPostgres


@pytest.fixture(scope="module")
def world(postgres: EmbeddedPostgres) -> Iterator[World]:
    with fresh_world(postgres) as world:
        yield world
