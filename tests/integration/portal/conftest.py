from collections.abc import AsyncIterator

import pytest
from portal_world import Product


@pytest.fixture
async def product(owner_url: str, app_url: str) -> AsyncIterator[Product]:
    async with Product(owner_url, app_url) as running:
        yield running
