import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio
from file_world import libreview, sensor_table
from ingest_world import World
from portal_world import Patient, Product, field, text_of

from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.imports import run as run_module
from device_gateway.imports import worker
from device_gateway.imports.worker import take_in_uploads, work

CONTENT = libreview(
    ("14-06-2026 08:00", "0", "104"), ("14-06-2026 08:15", "0", "99"), ("14-06-2026 08:30", "0", "LO"),
    ("14-06-2026 08:45", "5", ""),
)  # fmt: skip


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(postgres: EmbeddedPostgres, world: World) -> AsyncIterator[Product]:
    """One for all tests of the module: what they upload differs by patient."""
    app_url = postgres.url("gateway_app", world.database)
    async with Product(world.owner_url, app_url, database_ingest_url=world.ingest_url, import_max_mb=1) as running:
        yield running


def readings(product: Product, patient: Patient) -> list[float]:
    query = (
        "SELECT value FROM gateway.reading r JOIN gateway.series s ON s.id = r.series WHERE s.space_id = %s"
        " ORDER BY r.time"
    )
    return [row.value for row in product.owner(query, patient.space.id)]


def pieces(product: Product, patient: Patient) -> int:
    return len(product.owner("SELECT n FROM gateway.file_import_piece WHERE space_id = %s", patient.space.id))


async def at_home(product: Product, **changes: Any) -> tuple[Patient, httpx2.AsyncClient]:
    patient = product.patient(**changes)
    return patient, await product.signed_in(patient.username)


async def upload(browser: httpx2.AsyncClient, content: bytes = CONTENT, **fields: str) -> httpx2.Response:
    page = await browser.get("/devices/import")
    data = {"csrf_token": field(page.text, "csrf_token"), **fields}
    return await browser.post(
        "/devices/import", data=data, files={"file": ("Camille_glucose.csv", content, "text/csv")}
    )


async def looked_at(product: Product, browser: httpx2.AsyncClient, content: bytes = CONTENT, **fields: str) -> str:
    """Where the page of an upload is that was looked at."""
    answer = await upload(browser, content, **fields)
    assert answer.status_code == 303, answer.text
    assert await asyncio.to_thread(work, product.settings) == 1
    return str(answer.headers["location"])


async def decide(browser: httpx2.AsyncClient, path: str, decision: str) -> httpx2.Response:
    token = field((await browser.get("/devices/import")).text, "csrf_token")
    return await browser.post(path, data={"csrf_token": token, "decision": decision})


async def until(browser: httpx2.AsyncClient, path: str, shows: Callable[[httpx2.Response], bool]) -> None:
    while not shows(await browser.get(path)):  # noqa: ASYNC110  # another process writes what is waited for
        await asyncio.sleep(0.02)


async def test_a_file_is_looked_at_confirmed_and_imported(product: Product) -> None:
    patient, browser = await at_home(product)
    answer = await upload(browser)
    path = answer.headers["location"]
    page = await browser.get(path)
    assert "Nothing is stored yet" in text_of(page.text)
    assert '<noscript><meta http-equiv="refresh" content="2">' in page.text
    await asyncio.to_thread(work, product.settings)
    page = await browser.get(path)
    told = text_of(page.text)
    for words in (
        "LibreView",
        "2 new",
        "1 rejected",
        "1 without a measurement",
        "14 June 2026 to 14 June 2026",
        "A1B2",
    ):
        assert words in told
    assert "Record 5: it has no value" in told
    assert readings(product, patient) == []
    await decide(browser, path, "import")
    await decide(browser, path, "import")  # sent twice
    await asyncio.to_thread(work, product.settings)
    told = text_of((await browser.get(path)).text)
    assert "The file is imported." in told
    assert "2 stored" in told
    assert readings(product, patient) == [104, 99]
    assert pieces(product, patient) == 0
    journal = text_of((await browser.get("/journal")).text)
    assert "The import of a file (LibreView) began." in journal
    assert "2 measurements were imported from a file (LibreView)." in journal
    assert "FreeStyle LibreLink (LibreView)" in text_of((await browser.get("/")).text)


async def test_the_same_file_again_is_known_and_what_was_rejected_can_be_kept(product: Product) -> None:
    _, browser = await at_home(product)
    for expected in ("2 stored", "2 already known"):
        path = await looked_at(product, browser)
        await decide(browser, path, "import")
        await asyncio.to_thread(work, product.settings)
        assert expected in text_of((await browser.get(path)).text)
    kept = await browser.get(f"{path}/rejected.csv")
    assert kept.headers["content-disposition"].startswith("attachment")
    lines = kept.text.splitlines()
    assert lines[0] == "number,where,reason,record"
    assert lines[1].startswith("5,/value,")
    assert ",14-06-2026 08:30,0,LO," in lines[1]


async def test_a_file_can_be_discarded_and_is_forgotten(product: Product) -> None:
    patient, browser = await at_home(product)
    path = await looked_at(product, browser)
    assert (await decide(browser, path, "discard")).headers["location"] == "/devices/import"
    assert (await browser.get(path)).status_code == 404
    assert pieces(product, patient) == 0


async def test_what_cannot_be_read_is_refused_in_the_readers_language(product: Product) -> None:
    _, browser = await at_home(product, language="fr")
    path = await looked_at(product, browser, b"a,b\n1,2\n")
    assert "d’aucun des formats connus" in text_of((await browser.get(path)).text)
    other = await looked_at(product, browser)
    await decide(browser, other, "import")
    await asyncio.to_thread(work, product.settings)
    third = await looked_at(product, browser, zone="Asia/Tokyo")
    assert "déjà été lues dans un autre fuseau" in text_of((await browser.get(third)).text)


async def test_an_upload_belongs_to_its_patient(product: Product) -> None:
    _, browser = await at_home(product)
    path = await looked_at(product, browser)
    _, stranger = await at_home(product)
    for page in (path, f"{path}/state", f"{path}/rejected.csv"):
        assert (await stranger.get(page)).status_code == 404
    assert (await decide(stranger, path, "import")).status_code == 404
    assert (await decide(stranger, path, "discard")).status_code == 404
    assert (await stranger.get(f"/devices/import/{uuid4()}")).status_code == 404
    assert "2 new" in text_of((await browser.get(path)).text)


async def test_a_form_without_the_token_or_the_file_or_with_too_much_is_refused(product: Product) -> None:
    patient, browser = await at_home(product)
    token = field((await browser.get("/devices/import")).text, "csrf_token")
    file = {"file": ("a.csv", CONTENT, "text/csv")}
    for data in ({}, {"csrf_token": "x"}):
        assert (await browser.post("/devices/import", data=data, files=file)).status_code == 403
    data = {"csrf_token": token}
    assert (await browser.post("/devices/import", data=data)).status_code == 400
    assert (await browser.post("/devices/import", data=data, files={"other": ("a", b"x")})).status_code == 422
    assert (await browser.post("/devices/import", data={**data, "zone": "Mars"}, files=file)).status_code == 422
    large = {"file": ("a.csv", b"x" * 1_200_000, "text/csv")}
    assert (await browser.post("/devices/import", data=data, files=large)).status_code == 413
    assert pieces(product, patient) == 0


async def test_uploads_that_wait_take_no_more_room_than_three(product: Product) -> None:
    _, browser = await at_home(product)
    for _ in range(3):
        assert (await upload(browser)).status_code == 303
    await asyncio.to_thread(work, product.settings)
    answer = await upload(browser)
    assert answer.status_code == 422
    assert "import or discard them first" in text_of(answer.text)


async def test_an_import_that_was_stopped_goes_on_behind_what_was_committed(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "BATCH_RECORDS", 10)
    patient, browser = await at_home(product)
    content = "".join(sensor_table(35, datetime(2026, 1, 1, tzinfo=UTC))).encode()
    path = await looked_at(product, browser, content)
    await decide(browser, path, "import")
    await asyncio.to_thread(work, product.settings, iter([False, False, True]).__next__)
    assert "20 of 35 records" in text_of((await browser.get(path)).text)
    await asyncio.to_thread(work, product.settings)
    assert "35 stored" in text_of((await browser.get(path)).text)
    assert len(readings(product, patient)) == 35


async def test_the_jobs_process_is_woken_by_an_upload_and_forgets_what_nobody_answered(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, browser = await at_home(product)
    forgotten = await looked_at(product, browser)
    product.owner("UPDATE gateway.file_import SET changed_at = now() - interval '25 hours' WHERE state = 'checked'")
    monkeypatch.setattr(worker, "LOOK_EVERY_S", 60.0)  # only the notification can wake it in time
    task = asyncio.create_task(take_in_uploads(product.settings))
    try:
        async with asyncio.timeout(30):
            await until(browser, forgotten, lambda page: page.status_code == 404)
            path = (await upload(browser)).headers["location"]
            await until(browser, f"{path}/state", lambda page: "2 new" in text_of(page.text))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
