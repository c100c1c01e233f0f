"""``/api/devices/restore``, and claim codes for an edge that takes the place of another."""

from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from portal_world import Patient, Product

from device_gateway.devices.bond_box import public_text, seal, unseal
from device_gateway.devices.claim_codes import make_claim_code
from device_gateway.devices.replacement import replacement_code
from device_gateway.errors import NotFound

MAC = "C0:FF:EE:12:34:56"


@pytest.fixture
async def product(owner_url: str, app_url: str, tmp_path: Path) -> AsyncIterator[Product]:
    async with Product(owner_url, app_url, bond_key=tmp_path / "bond.key") as running:
        yield running


async def claim(product: Product, code: str, model: str, auth: Any = None, **more: str) -> httpx2.Response:
    body = {"claim_code": code, "model": model, **more}
    return await (await product.browser()).post("/api/devices/claim", json=body, auth=auth)


async def code_for(product: Product, patient: Patient) -> str:
    async with product.app.state.pool.connection() as connection:
        return await make_claim_code(
            connection, patient.space.id, patient.account, "Salon", datetime.now(UTC), 15
        )  # fmt: skip


async def edge_of(product: Product, patient: Patient) -> dict[str, Any]:
    answer = await claim(product, await code_for(product, patient), "edge")
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def credentials(edge: dict[str, Any]) -> tuple[str, str]:
    return edge["device_id"], edge["mqtt"]["password"]


async def meter_of(product: Product, patient: Patient, edge: dict[str, Any]) -> dict[str, Any]:
    """A meter behind the edge, whose bond is kept."""
    code = await code_for(product, patient)
    answer = (await claim(product, code, "ble-glucose", credentials(edge), hardware_id=MAC)).json()
    product.owner(
        "INSERT INTO gateway.device_bond (device_id, space_id, edge_id, sealed, made_at)"
        " VALUES (%s, %s, %s, %s, now())",
        answer["device_id"], patient.space.id, edge["device_id"],
        seal(b"its keys", answer["bond_key"], answer["device_id"]),
    )  # fmt: skip
    return dict(answer)


async def restore(product: Product, auth: Any, key: object) -> httpx2.Response:
    return await (await product.browser()).post("/api/devices/restore", json={"key": key}, auth=auth)


async def new_code(product: Product, patient: Patient, edge: dict[str, Any]) -> str:
    async with product.app.state.pool.connection() as connection:
        code, name = await replacement_code(
            connection, patient.account, patient.space.id, UUID(edge["device_id"]), minutes=15, now=datetime.now(UTC)
        )
    assert name == "Salon"
    return code


async def test_the_edge_that_takes_anothers_place_gets_its_devices_and_their_bonds_for_its_own_key(
    product: Product,
) -> None:
    patient, key = product.patient(), X25519PrivateKey.generate()
    old = await edge_of(product, patient)
    meter = await meter_of(product, patient, old)
    new = (await claim(product, await new_code(product, patient, old), "edge")).json()
    assert new["bond_key"] == meter["bond_key"]
    answer = await restore(product, credentials(new), public_text(key))
    assert answer.headers["cache-control"] == "no-store"
    [device] = answer.json()["devices"]
    assert {name: device[name] for name in ("device", "model", "adapter", "hardware_id")} == {
        "device": meter["device_id"], "model": "ble-glucose", "adapter": "ble-glucose", "hardware_id": MAC,
    }  # fmt: skip
    assert unseal(b64decode(device["bond"]), key, meter["device_id"]) == b"its keys"
    assert (await restore(product, credentials(old), public_text(key))).status_code == 401
    events = product.owner("SELECT event, quantity, details FROM gateway.journal WHERE space_id = %s", patient.space.id)
    assert ("device:edge:replace", 1, {"device": "Salon"}) in [tuple(event) for event in events]
    assert [event.event for event in events].count("device:bond:restore") == 1


async def test_a_bond_that_this_gateways_key_does_not_open_is_none(product: Product, tmp_path: Path) -> None:
    patient, key = product.patient(), X25519PrivateKey.generate()
    edge = await edge_of(product, patient)
    await meter_of(product, patient, edge)
    (tmp_path / "bond.key").unlink()
    [device] = (await restore(product, credentials(edge), public_text(key))).json()["devices"]
    assert device["bond"] is None


async def test_nobody_else_gets_anything(product: Product) -> None:
    patient, stranger, key = product.patient(), product.patient(), public_text(X25519PrivateKey.generate())
    edge = await edge_of(product, patient)
    await meter_of(product, patient, edge)
    other = await edge_of(product, stranger)
    assert (await restore(product, credentials(other), key)).json()["devices"] == []
    second = await edge_of(product, patient)  # of the same patient, but it does not carry the meter
    assert (await restore(product, credentials(second), key)).json()["devices"] == []
    hub = (await claim(product, await code_for(product, patient), "theengs-hub")).json()
    for auth, status in ((None, 401), ((edge["device_id"], "wrong"), 401), (credentials(hub), 403)):
        assert (await restore(product, auth, key)).status_code == status
    for wrong in ("", "AAAA", "no base64 ***", 7, None):
        assert (await restore(product, credentials(edge), wrong)).status_code == 400
    async with product.app.state.pool.connection() as connection:
        with pytest.raises(NotFound):
            await replacement_code(
                connection, stranger.account, stranger.space.id, UUID(edge["device_id"]),
                minutes=15, now=datetime.now(UTC),
            )  # fmt: skip


async def test_a_code_for_an_edge_is_for_nothing_else_and_stays_valid(product: Product) -> None:
    patient = product.patient()
    old = await edge_of(product, patient)
    code = await new_code(product, patient, old)
    refused = await claim(product, code, "dg-scale")
    assert (refused.status_code, "takes the place" in refused.text) == (422, True)
    assert (await claim(product, code, "edge")).status_code == 201


async def test_an_edge_that_was_removed_meanwhile_has_no_place_to_take(product: Product) -> None:
    patient = product.patient()
    old = await edge_of(product, patient)
    meter = await meter_of(product, patient, old)
    code = await new_code(product, patient, old)
    product.owner(
        "UPDATE gateway.device_holding SET during = tstzrange(lower(during), now()) WHERE device_id = %s",
        old["device_id"],
    )
    assert (await claim(product, code, "edge")).status_code == 201
    [row] = product.owner("SELECT parent_id FROM gateway.device WHERE id = %s", meter["device_id"])
    assert str(row.parent_id) == old["device_id"]
