"""An edge that is claimed where the broker asks for certificates: as a user starts it, against a running gateway."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from claiming import code_for
from cryptography import x509
from portal_world import Product

from device_gateway.commands.edge import claim
from device_gateway.devices.authority import Authority, common_name
from device_gateway.transports.edge.certificate import renew_if_due
from device_gateway.transports.edge.state import opened

BROKER = "mqtts://broker.example:8883"


@pytest.fixture
async def gateway(owner_url: str, app_url: str, tmp_path: Path) -> AsyncIterator[tuple[Product, str]]:
    authority = Authority(tmp_path / "authority")
    urls = {"mqtt_public_url": BROKER, "mqtt_certificate_url": BROKER}
    product = Product(owner_url, app_url, **urls, authority=tmp_path / "authority", mqtt_ca=authority.ca_file)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(product.app, log_config=None, lifespan="off"))
    async with product:
        serving = asyncio.create_task(server.serve([listening]))  # it listens already: who comes early waits
        yield product, f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


async def test_an_edge_keeps_its_key_to_itself_and_renews_its_certificate_before_it_ends(
    gateway: tuple[Product, str], tmp_path: Path
) -> None:
    product, url = gateway
    code = await code_for(product, product.patient())
    await asyncio.to_thread(_claim_and_renew, url, code, tmp_path)
    rows = product.owner("SELECT serial FROM gateway.device_certificate WHERE revoked_at IS NULL")
    assert len(rows) == 2, "the newest, and the one before it"


def _claim_and_renew(url: str, code: str, directory: Path) -> None:
    claim(url, code, directory)
    with opened(directory) as state:
        edge = state.edge()
    assert edge.mqtt_url == BROKER
    assert edge.certificate
    assert edge.ca
    file = Path(edge.certificate)
    assert file.stat().st_mode & 0o777 == 0o600
    assert Path(edge.ca).read_text() == Authority(directory / "authority").pem
    first = file.read_bytes()
    assert common_name(x509.load_pem_x509_certificate(first)) == edge.edge_id
    assert not renew_if_due(directory, url), "it is new"
    soon = datetime.now(UTC) + timedelta(days=300)
    assert renew_if_due(directory, url, soon)
    second = file.read_bytes()
    assert first.split(b"-----BEGIN CERT")[0] != second.split(b"-----BEGIN CERT")[0], "the key is a new one, too"
    assert renew_if_due(directory, url, soon), "with the new one it goes on"
