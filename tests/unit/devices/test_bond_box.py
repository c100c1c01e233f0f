"""Boxes that open for one key and one device, and the file with that key."""

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.devices.bond_box import (
    LONGEST_BOX,
    BoxClosed,
    box_of,
    gateway_key,
    gateway_public_key,
    public_text,
    seal,
    unseal,
)
from device_gateway.errors import BadSetting
from device_gateway.settings import Settings

KEY = X25519PrivateKey.generate()
PUBLIC = public_text(KEY)


@given(st.binary(max_size=1600), st.text(max_size=60))
def test_a_box_opens_for_its_device_and_shows_nothing_of_what_is_in_it(bond: bytes, device: str) -> None:
    box = seal(bond, PUBLIC, device)
    assert len(box) <= LONGEST_BOX
    assert unseal(box, KEY, device) == bond
    assert len(bond) < 4 or bond not in box
    assert box_of(b64encode(box).decode()) == box


def test_another_key_another_device_and_any_change_open_nothing() -> None:
    box = seal(b"keys", PUBLIC, "meter")
    changed = [box[:i] + bytes([box[i] ^ 1]) + box[i + 1 :] for i in range(len(box))]
    for attempt in [*changed, box[:-1], box + b"\0", b""]:
        with pytest.raises(BoxClosed):
            unseal(attempt, KEY, "meter")
    with pytest.raises(BoxClosed):
        unseal(box, KEY, "scale")
    with pytest.raises(BoxClosed):
        unseal(box, X25519PrivateKey.generate(), "meter")


@pytest.mark.parametrize("key", ["", "no base64 ***", "AAAA", "é"])
def test_what_is_no_key_seals_nothing(key: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        seal(b"keys", key, "meter")


@pytest.mark.parametrize("text", ["", "AAAA", "no base64 ***", "A" * 4000, "é"])
def test_what_cannot_be_a_box_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        box_of(text)


def test_the_key_is_made_once_whoever_starts_first_and_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    settings = Settings(bond_key=tmp_path / "bond.key")
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: gateway_public_key(settings), range(8)))
    assert len(keys) == 1
    assert (tmp_path / "bond.key").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["bond.key"]
    assert gateway_key(Settings()) is None


def test_a_file_that_holds_another_thing_is_named(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("nonsense")
    for path in (tmp_path / "other", tmp_path / "nowhere" / "key", tmp_path):
        with pytest.raises(BadSetting, match="DEVICE_GATEWAY_BOND_KEY"):
            gateway_key(Settings(bond_key=path))
