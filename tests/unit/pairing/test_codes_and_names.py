import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.devices.claim_codes import ALPHABET, BadDeviceName, code_hash, device_name
from device_gateway.devices.guesses import network_of
from device_gateway.devices.models import known_model, known_models
from device_gateway.devices.pairing import BadHardwareId, hardware_identity
from device_gateway.errors import UnknownModel


@pytest.mark.parametrize("typed", ["7k3m-q9tx", "7K3MQ9TX", " 7K3M Q9TX ", "7-K-3-M-Q9TX"])
def test_a_code_is_the_same_however_it_is_typed(typed: str) -> None:
    assert code_hash(typed) == code_hash("7K3M-Q9TX")


def test_letters_that_look_like_digits_are_read_as_these() -> None:
    assert code_hash("OIL0-1111") == code_hash("0110-1111")
    assert not set("ILOU") & set(ALPHABET)


def test_a_bluetooth_address_has_one_spelling() -> None:
    meter = known_model("ble-glucose")
    spellings = ["C0:FF:EE:12:34:56", "c0-ff-ee-12-34-56", "c0ffee123456", " C0:ff:EE:12:34:56 "]
    assert {hardware_identity(meter, text) for text in spellings} == {"C0:FF:EE:12:34:56"}


@pytest.mark.parametrize("text", ["", "C0:FF:EE:12:34", "C0:FF:EE:12:34:5G", "SN-1", "C0:FF:EE:12:34:56:78"])
def test_a_bluetooth_model_needs_a_bluetooth_address(text: str) -> None:
    with pytest.raises(BadHardwareId):
        hardware_identity(known_model("ble-glucose"), text)


@given(st.text(max_size=80))
def test_any_hardware_id_is_normal_or_refused(text: str) -> None:
    for key in ("ble-glucose", "dg-scale", "xiaomi-mi-scale"):
        try:
            normal = hardware_identity(known_model(key), text)
        except BadHardwareId:
            continue
        assert hardware_identity(known_model(key), normal) == normal
        assert normal.isascii()


def test_models_come_from_the_installed_adapters_and_the_edge_is_ours() -> None:
    known = known_models()
    assert known["edge"].model.kind == "edge"
    assert known["dg-scale"].stands_alone
    assert known["theengs-hub"].stands_alone
    assert not known["ble-glucose"].stands_alone
    assert not known["xiaomi-mi-scale"].stands_alone
    with pytest.raises(UnknownModel):
        known_model("toaster")


def test_a_device_name_is_one_short_printable_line() -> None:
    assert device_name("  Balance   du\nsalon ") == "Balance du salon"
    for wrong in ("", "   ", "x" * 61, "a\u202eb", "a\0b"):
        with pytest.raises(BadDeviceName):
            device_name(wrong)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        (None, "unknown"),
        ("unix", "unknown"),
    ],
)
def test_guesses_are_counted_per_household(host: str | None, network: str) -> None:
    assert network_of(host) == network
