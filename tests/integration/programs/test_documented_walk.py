"""The walk that the documentation shows to vendors, word for word, with curl against the product as it is served."""

import asyncio
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from portal_world import Product
from program import PDF

from app_catalog import register_vendor
from device_gateway.app import create_app
from device_gateway.settings import Settings
from device_simulators.demo.contact import confirmed

PAGE = Path(__file__).parents[3] / "docs" / "vendors.md"


@contextmanager
def served(settings: Settings, listener: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.slow
def test_the_documented_walk_leads_from_a_draft_to_an_armed_scenario(owner_url, app_url, tmp_path):
    (walk,) = re.findall("```sh\n(ask.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "dpia.pdf").write_bytes(PDF)
    key = asyncio.run(new_key(owner_url, app_url))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with served(Settings(database_url=app_url, public_url=base), listener):
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", walk], cwd=tmp_path, env={**os.environ, "KEY": key, "BASE": base},
                capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("true", "submitted", "waits for an authorization"):
        assert said in done.stdout
    assert len((tmp_path / "secret.txt").read_text()) > 30


async def new_key(owner_url, app_url):
    """Of an organisation whose contact is confirmed, made on the page."""
    async with Product(owner_url, app_url) as product:
        vendor = product.account("vendor", "vendor")
        options = {"person": vendor, "journal": product.app.state.wiring.journal, "now": datetime.now(UTC)}
        async with product.app.state.pool.connection() as connection:
            vendor_id = await register_vendor(connection, name="Acme", contact="help@acme.example", **options)
            await confirmed(connection, vendor_id, **options)
        browser = await product.signed_in("vendor")
        here = f"/catalogue/vendor/organisations/{vendor_id}/keys"
        token = re.search('name="csrf_token" value="([^"]+)"', (await browser.get(here)).text)
        form = {"name": "walk", "may": "write", "ends_on": f"{options['now'].date()}", "csrf_token": token[1]}
        return re.search("appcat_[0-9a-f]{64}", (await browser.post(here, data=form)).text)[0]
