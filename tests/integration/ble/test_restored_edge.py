"""The host of an edge dies, and another one takes its place: bonds, forgetting, and what is never written down."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import uvicorn
from ble_world import Meter, until
from house_world import House, Visit, house_of
from portal_world import field, text_of

from device_gateway.transports.edge import state as edge_state

StartMeter = Callable[..., Meter]
PROGRAM = Path(sys.executable).with_name("device-gateway")


@pytest.fixture
async def house(owner_url: str, app_url: str, ingest_url: str, air: str, tmp_path: Path) -> AsyncIterator[House]:
    key = tmp_path / "keys" / "bond.key"
    key.parent.mkdir()
    async with house_of(owner_url, app_url, ingest_url, air, tmp_path, bond_key=key) as house:
        yield house


@contextmanager
def served(house: House) -> Iterator[str]:
    """The application on a port of its own, for programs that are no tests."""
    server = uvicorn.Server(uvicorn.Config(house.product.app, port=0, lifespan="off", log_level="warning"))
    config = server.config
    config.load()
    socket = config.bind_socket()
    serving = asyncio.get_running_loop().create_task(server.serve([socket]))
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        serving.add_done_callback(lambda _: socket.close())


def bonds_of(host: Path) -> dict[str, dict[str, dict[str, str]]]:
    return dict(json.loads((host / "edge" / "bonds.json").read_text())["bonds"])


def keys_of(host: Path) -> list[bytes]:
    """Every spelling in which a key of this host's bonds could have been written somewhere."""
    found = []
    for keys in bonds_of(host).values():
        for key in keys.values():
            if isinstance(key, dict) and "value" in key:
                octets = bytes.fromhex(key["value"])
                found += [octets, octets.hex().encode(), octets.hex().upper().encode()]
    assert found
    return found


async def devices_page(browser: httpx2.AsyncClient) -> str:
    return (await browser.get("/devices")).text


async def restored(house: House, browser: httpx2.AsyncClient, host: Path) -> bytes:
    """What is said on the new host when the patient's code is used there."""
    page = await devices_page(browser)
    action = re.search(r'action="(/devices/new/replacement/[^"]+)"', page)
    assert action
    shown = await browser.post(action[1], data={"csrf_token": field(page, "csrf_token")})
    code = re.search(r"--code ([0-9A-Z-]+)", shown.text)
    assert code
    with served(house) as url:
        arguments = ["edge", "restore", "--gateway", url, "--code", code[1]]
        arguments += ["--data-dir", str(host), "--radio", house.air]
        program = await asyncio.create_subprocess_exec(PROGRAM, *arguments, stdout=PIPE, stderr=STDOUT)
        said, _ = await program.communicate()
    assert program.returncode == 0, said
    return said


async def test_an_edge_on_a_new_host_reads_on_with_bonds_that_were_never_readable_on_their_way(
    house: House, start_meter: StartMeter, tmp_path: Path
) -> None:
    meter = start_meter(records=2, interval_s=0.5, state=tmp_path / "meter.json")
    edge = house.start_edge()
    browser = await house.product.signed_in(house.patient.username)
    visit = Visit(browser)
    await visit.begin(house.edge)
    await visit.bond(meter.address)
    assert (await visit.send(add="own", name="My meter", since="2020-01-01")).status_code == 303
    await until(lambda: house.count("device_bond") == 1 and house.count("reading") >= 2)
    assert "another one can go on without pairing" in await devices_page(browser)
    edge.kill()
    secrets = keys_of(house.directory)

    host = tmp_path / "new host"
    said = await restored(house, browser, host)
    assert re.search(rf"{meter.address} \([0-9a-f-]+\): reads on", said.decode())
    assert bonds_of(host) == bonds_of(house.directory)
    before = house.count("reading")
    house.start_edge(host)
    await until(lambda: house.count("reading") > before)
    page = text_of(await devices_page(browser))
    assert page.count("Living room") >= 2  # the edge, and the device that is read through it
    assert "Pair again" not in page
    [old] = house.product.owner("SELECT credential FROM gateway.device WHERE id = %s", house.edge)
    assert old.credential is None

    [row] = house.product.owner("SELECT id FROM gateway.device WHERE hardware_id = %s", meter.address)
    remove = f"/devices/{row.id}/remove"
    token = field((await browser.get(remove)).text, "csrf_token")
    meter.program.stop()  # it need not be there to be forgotten
    assert (await browser.post(remove, data={"csrf_token": token})).status_code == 303
    assert house.count("device_bond") == 0
    await until(lambda: bonds_of(host) == {})
    journal = [event for event, _ in house.journal(house.patient)]
    assert journal.count("device:edge:replace") == journal.count("device:bond:restore") == 1
    assert journal[-2:] == ["portal:device:release", "portal:bond:erase"]

    with edge_state.opened(host) as state:
        assert state.to_forget() == []
    for secret in secrets:
        assert secret not in said
        for place in (house.broker.directory, tmp_path / "host" / "edge", host / "edge"):
            for path in place.rglob("*"):
                assert not path.is_file() or path.name == "bonds.json" or secret not in path.read_bytes(), path
        for table in ("device_bond", "edge_event", "edge_command", "job", "quarantine", "journal"):
            assert secret.decode("latin-1") not in str(house.product.owner(f"SELECT t::text FROM gateway.{table} t"))


@pytest.mark.slow
async def test_a_device_whose_bond_cannot_be_taken_along_is_paired_again_and_keeps_its_history(
    house: House, start_meter: StartMeter, tmp_path: Path
) -> None:
    meter = start_meter(records=3)
    house.start_edge()
    browser = await house.product.signed_in(house.patient.username)
    visit = Visit(browser)
    await visit.begin(house.edge)
    await visit.bond(meter.address)
    assert (await visit.send(add="own", name="My meter", since="2020-01-01")).status_code == 303
    await until(lambda: house.count("reading") == 3)
    house.product.owner("UPDATE gateway.device_bond SET sealed = NULL")  # as of a system that gives no bond away
    assert "it has to be paired again" in await devices_page(browser)
    house.edges[0].kill()
    host = tmp_path / "new host"
    said = await restored(house, browser, host)
    assert "pair it again: the gateway keeps no bond of it" in said.decode()
    house.start_edge(host)
    [edge] = house.product.owner(
        "SELECT device_id FROM gateway.device_holding JOIN gateway.device ON id = device_id"
        " WHERE kind = 'edge' AND upper_inf(during)"
    )
    lost = "SELECT bond_lost_at FROM gateway.device_holding WHERE name = 'My meter'"
    await until(lambda: house.product.owner(lost)[0].bond_lost_at is not None)
    assert "Pair again" in await devices_page(browser)
    again = Visit(browser)
    await again.begin(edge.device_id)
    await again.bond(meter.address)
    assert (await again.send(add="own", name="My meter", since="2020-01-01")).status_code == 303
    await until(lambda: house.product.owner(lost)[0].bond_lost_at is None)
    assert house.holders(meter.address) == [(house.patient.space.id, True)]
    assert house.count("reading") == 3
