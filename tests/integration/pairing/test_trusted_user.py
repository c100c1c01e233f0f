"""A patient connects what cannot take a code, and again after it was reset: settings to copy, shown once."""

import html
import re
from typing import Any
from uuid import UUID

from portal_world import Product, field, text_of

from device_gateway.devices.credentials import check_password
from device_gateway.devices.topics import topic_of


async def settings_page(browser: Any, **more: str) -> Any:
    token = field((await browser.get("/devices/new")).text, "csrf_token")
    data = {"csrf_token": token, "model": "dg-scale", "name": "Scale", "since": "2026-01-01", "settings": "yes", **more}
    return await browser.post("/devices/new", data=data)


def shown(page: str) -> tuple[UUID, str]:
    """Id and password."""
    codes = [html.unescape(code) for code in re.findall(r"<code>([^<]*)</code>", page)]
    device = next(code for code in codes if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", code))
    return UUID(device), next(code for code in codes if len(code) == 43 and "/" not in code)


def credential(product: Product, device: UUID) -> str:
    [row] = product.owner("SELECT credential FROM gateway.device WHERE id = %s", device)
    return str(row.credential)


async def test_settings_are_shown_once_with_a_qr_code_instead_of_a_claim_code(product: Product) -> None:
    patient = product.patient()
    browser = await product.signed_in(patient.username)
    answer = await settings_page(browser)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    device, password = shown(answer.text)
    assert check_password(password, credential(product, device))
    assert topic_of(device, "readings") in text_of(answer.text)
    assert "<svg" in answer.text
    assert password not in (await browser.get("/devices")).text
    assert product.owner("SELECT name FROM gateway.claim_code WHERE used_at IS NULL") == []


async def test_after_a_reset_new_settings_end_the_old_ones_and_the_history_goes_on(product: Product) -> None:
    patient = product.patient()
    browser = await product.signed_in(patient.username)
    device, before = shown((await settings_page(browser)).text)
    assert f"/devices/{device}/access" in (await browser.get("/devices")).text
    page = await browser.get(f"/devices/{device}/access")
    answer = await browser.post(f"/devices/{device}/access", data={"csrf_token": field(page.text, "csrf_token")})
    assert answer.status_code == 201
    same, after = shown(answer.text)
    assert (same, after == before) == (device, False)
    assert check_password(after, credential(product, device))
    assert not check_password(before, credential(product, device))
    [job] = product.owner("SELECT kind, payload FROM gateway.job")
    assert (job.kind, job.payload) == ("broker:disconnect", {"device_id": str(device)})
    assert len(product.owner("SELECT name FROM gateway.device_holding")) == 1
    assert "new password" in text_of((await browser.get("/journal")).text)


async def test_nobody_makes_settings_for_the_device_of_another(product: Product) -> None:
    ana, ben = product.patient(), product.patient()
    mine, theirs = await product.signed_in(ana.username), await product.signed_in(ben.username)
    device, password = shown((await settings_page(mine)).text)
    token = field((await theirs.get("/devices/new")).text, "csrf_token")
    assert (await theirs.get(f"/devices/{device}/access")).status_code == 404
    assert (await theirs.post(f"/devices/{device}/access", data={"csrf_token": token})).status_code == 404
    assert (await mine.post(f"/devices/{device}/access", data={"csrf_token": "forged"})).status_code == 403
    assert check_password(password, credential(product, device))
