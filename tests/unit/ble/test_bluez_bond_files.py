"""Bonds in BlueZ's own files, taken from one directory to another."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_gateway.transports.ble.bluez.bond_files import BondFiles

ADAPTER, OTHER, DEVICE = "00:1A:7D:DA:71:13", "00:1A:7D:DA:71:14", "C0:00:00:00:00:01"
# The layout of BlueZ, doc/settings-storage.txt; the values are made up.
INFO = """[General]
Name=Meter of somebody
AddressType=static
SupportedTechnologies=LE;
Trusted=true
Blocked=false
Services=00001800-0000-1000-8000-00805f9b34fb;00001808-0000-1000-8000-00805f9b34fb;

[IdentityResolvingKey]
Key=0123456789ABCDEF0123456789ABCDEF

[LongTermKey]
Key=FEDCBA9876543210FEDCBA9876543210
Authenticated=3
EncSize=16
EDiv=0
Rand=0

[ConnectionParameters]
MinInterval=6
MaxInterval=9
Latency=44
Timeout=216

[ServiceChanged]
CCC_LE=2
"""


def host(directory: Path, adapter: str, device: str | None = None) -> BondFiles:
    (directory / adapter / "cache").mkdir(parents=True)
    (directory / adapter / "settings").write_text("[General]\nDiscoverable=false\n")
    if device:
        (directory / adapter / device).mkdir()
        (directory / adapter / device / "info").write_text(INFO)
    return BondFiles(directory)


def test_a_bond_goes_to_a_host_with_the_same_adapter_and_nothing_else_goes_with_it(tmp_path: Path) -> None:
    bond = host(tmp_path / "old", ADAPTER, DEVICE).read(DEVICE.lower())
    assert bond is not None
    new = host(tmp_path / "new", ADAPTER)
    assert new.write(bond) is None
    path = tmp_path / "new" / ADAPTER / DEVICE / "info"
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    written = path.read_text()
    assert written == INFO.partition("[ServiceChanged]")[0].rstrip() + "\n"
    assert new.read(DEVICE) == bond


def test_another_adapter_does_not_take_it(tmp_path: Path) -> None:
    bond = host(tmp_path / "old", ADAPTER, DEVICE).read(DEVICE)
    assert bond is not None
    assert host(tmp_path / "new", OTHER).write(bond) == "other_adapter"
    assert not (tmp_path / "new" / ADAPTER).exists()


def test_a_device_without_keys_has_no_bond(tmp_path: Path) -> None:
    files = host(tmp_path, ADAPTER, DEVICE)
    (tmp_path / ADAPTER / DEVICE / "info").write_text("[General]\nName=heard once\n")
    assert files.read(DEVICE) is None
    assert files.read(OTHER) is None


def test_files_that_may_not_be_read_or_written_are_no_error(tmp_path: Path) -> None:
    assert BondFiles(tmp_path / "nowhere").read(DEVICE) is None
    bond = host(tmp_path / "old", ADAPTER, DEVICE).read(DEVICE)
    assert bond is not None
    assert BondFiles(tmp_path / "nowhere").write(bond) == "not_permitted"
    host(tmp_path / "new", ADAPTER)
    (tmp_path / "new" / ADAPTER / DEVICE).write_text("a file where a directory should be")
    assert BondFiles(tmp_path / "new").write(bond) == "not_permitted"


@pytest.mark.parametrize(
    "change",
    [
        {"radio": "virtual"}, {"host": "../.."}, {"device": "../../etc"}, {"device": DEVICE.lower()}, {"info": ""},
        {"info": "[LongTermKey]\nKey=00\n[Evil]\nx=1"}, {"info": 7},
    ],
)  # fmt: skip
def test_what_is_no_bond_of_bluez_is_written_nowhere(tmp_path: Path, change: dict[str, object]) -> None:
    bond = host(tmp_path / "old", ADAPTER, DEVICE).read(DEVICE)
    assert bond is not None
    host(tmp_path / "new", ADAPTER)
    before = sorted(tmp_path.rglob("*"))
    changed = json.dumps(json.loads(bond) | change).encode()
    assert BondFiles(tmp_path / "new").write(changed) == "other_system"
    assert sorted(tmp_path.rglob("*")) == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.binary(max_size=300))
def test_any_octets_are_borne(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / ADAPTER / DEVICE).mkdir(parents=True, exist_ok=True)
    (tmp_path / ADAPTER / DEVICE / "info").write_bytes(octets)
    files = BondFiles(tmp_path)
    assert files.write(octets) == "other_system"
    files.read(DEVICE)
