"""Hashes of MQTT passwords."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_gateway.devices.credentials import check_password, hash_password, new_password


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=50)
def test_a_password_matches_its_own_hash_and_no_other(password: str) -> None:
    stored = hash_password(password)
    assert check_password(password, stored)
    assert not check_password(password + "x", stored)


def test_new_passwords_have_256_bits_and_differ() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    assert {len(password) for password in made} == {43}


def test_the_same_password_is_hashed_with_another_salt_each_time() -> None:
    assert hash_password("a") != hash_password("a")


def test_a_hash_of_mosquitto_is_understood(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(file), "scale", "pass phrase"], check=True)
    stored = file.read_text().strip().partition(":")[2]
    assert check_password("pass phrase", stored)
    assert not check_password("Pass phrase", stored)


@pytest.mark.parametrize("stored", ["", "$6$a$b", "$6$101$c2FsdA==$aGFzaA==", "plain"])
def test_what_is_no_such_hash_is_an_error(stored: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        check_password("a", stored)
