"""Bonds that edges tell: kept as they were sealed, of what they carry, and no longer than somebody holds that."""

import json
from base64 import b64encode
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from ingest_world import World, raw_message

from device_gateway.devices.bond_box import public_text, seal, unseal
from device_gateway.devices.topics import topic_of

KEY = X25519PrivateKey.generate()


def bond(world: World, edge: UUID, device: object, box: object, at: str = "2026-03-01T08:00:00Z") -> None:
    told = {"event": "bond", "message_id": str(uuid4()), "at": at, "device": str(device), "bond": box}
    world.writer().commit([raw_message(topic_of(edge, "event"), json.dumps(told).encode())])


def boxed(device: UUID, text: bytes = b"keys") -> str:
    return b64encode(seal(text, public_text(KEY), str(device))).decode()


def kept(world: World, device: UUID) -> list[Any]:
    return world.rows("SELECT * FROM gateway.device_bond WHERE device_id = %s", device)


@pytest.fixture
def pair(world: World) -> tuple[UUID, UUID, UUID]:
    """(space, edge, meter)"""
    space = world.space()
    edge = world.device(space, model="edge", kind="edge")
    return space, edge, world.device(space, model="ble-glucose", parent=edge, hardware_id=uuid4().hex)


def test_a_bond_is_kept_as_it_was_sealed_and_a_late_one_undoes_nothing(
    world: World, pair: tuple[UUID, UUID, UUID]
) -> None:
    space, edge, meter = pair
    bond(world, edge, meter, boxed(meter, b"first"))
    bond(world, edge, meter, boxed(meter, b"second"), "2026-03-01T09:00:00Z")
    bond(world, edge, meter, boxed(meter, b"first"))
    [row] = kept(world, meter)
    assert (row.space_id, row.edge_id) == (space, edge)
    assert unseal(bytes(row.sealed), KEY, str(meter)) == b"second"
    bond(world, edge, meter, None, "2026-03-01T10:00:00Z")
    assert kept(world, meter)[0].sealed is None


@pytest.mark.parametrize("box", ["", "AAAA", "no base64 ****", 7, True, "A" * 3600])
def test_what_is_no_box_is_not_kept(world: World, pair: tuple[UUID, UUID, UUID], box: object) -> None:
    _, edge, meter = pair
    bond(world, edge, meter, boxed(meter))
    bond(world, edge, meter, box, "2026-03-01T09:00:00Z")
    [row] = kept(world, meter)
    assert row.sealed is None or unseal(bytes(row.sealed), KEY, str(meter)) == b"keys"


def test_an_edge_tells_of_its_own_devices_only(world: World, pair: tuple[UUID, UUID, UUID]) -> None:
    _, _, meter = pair
    stranger = world.device(world.space(), model="edge", kind="edge")
    bond(world, stranger, meter, boxed(meter))
    bond(world, stranger, uuid4(), boxed(meter))
    assert kept(world, meter) == []


def test_a_bond_ends_with_the_holding(world: World, pair: tuple[UUID, UUID, UUID]) -> None:
    _, edge, meter = pair
    bond(world, edge, meter, boxed(meter))
    world.rows("UPDATE gateway.device_holding SET name = 'still mine' WHERE device_id = %s", meter)
    assert len(kept(world, meter)) == 1
    world.release(meter, "2026-03-02T00:00:00Z")
    assert kept(world, meter) == []
    bond(world, edge, meter, boxed(meter), "2026-03-03T00:00:00Z")
    assert kept(world, meter) == []  # nobody holds it
