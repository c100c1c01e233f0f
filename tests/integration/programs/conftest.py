"""The catalogue on the real PostgreSQL, in a host of a few lines."""

import pytest
from catalogue_host import Host

from device_gateway.database.pool import AsyncPool


@pytest.fixture
def host(app_pool: AsyncPool) -> Host:
    return Host(app_pool)
