"""Claim codes and what is exchanged for them, as a test needs them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from portal_world import Patient, Product

from device_gateway.devices.claim_codes import make_claim_code


async def code_for(product: Product, patient: Patient, name: str = "Balance", days: int = 0) -> str:
    assert patient.account.subject
    since = datetime.now(UTC) - timedelta(days=days)
    async with product.app.state.pool.connection() as connection:
        return await make_claim_code(connection, patient.account.subject, patient.account, name, since, 15)


async def claim(product: Product, code: str, model: str = "dg-scale", auth: Any = None, **more: Any) -> httpx2.Response:
    client = await product.browser()
    body = {"claim_code": code, "model": model, **more}
    return await client.post("/api/devices/claim", json=body, auth=auth)


async def paired(product: Product, patient: Patient, model: str = "dg-scale", **more: Any) -> dict[str, Any]:
    answer = await claim(product, await code_for(product, patient), model, **more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def journal(product: Product, patient: Patient, event: str) -> list[Any]:
    return product.owner(
        "SELECT * FROM gateway.journal WHERE space_id = %s AND event = %s ORDER BY n", patient.account.subject, event
    )
