"""Public keys of clients: what is taken, and what is refused with a reason."""

import contextlib

import pytest
from client_keys import Signer
from hypothesis import given
from hypothesis import strategies as st

from app_catalog.clients.keys import UnusableKeys, read_keys

EC, RSA = Signer("ES384", kid="a").public, Signer("RS384", kid="b").public


def test_one_key_is_found_by_kid_and_kind_and_none_when_two_match():
    keys = read_keys({"keys": [EC, RSA | {"kid": "a"}, RSA]})
    assert keys.one("a", "EC").jwk["crv"] == "P-384"
    assert keys.one("a", "RSA").kty == "RSA"
    assert keys.one("c", "EC") is None
    assert read_keys({"keys": [EC, EC]}).one("a", "EC") is None


def test_keys_of_other_kinds_and_for_encryption_are_left_out():
    others = [
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        EC | {"use": "enc"},
        EC | {"crv": "secp256k1"},
        {"kty": "new"},
    ]
    assert len(read_keys({"keys": [*others, EC]}).keys) == 1
    with pytest.raises(UnusableKeys):
        read_keys({"keys": others})


def test_only_what_is_used_of_a_key_is_kept():
    (kept,) = read_keys({"keys": [EC | {"alg": "ES384", "x5t": "\ud800", "note": ["\0"]}]}).document["keys"]
    assert set(kept) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


@pytest.mark.parametrize(
    "jwk",
    [
        EC | {"d": "AA"},
        {"kty": "oct", "kid": "a", "k": "AA"},
        EC | {"kid": None},
        EC | {"kid": ""},
        EC | {"kid": "\0"},
        EC | {"kid": "a" * 201},
        EC | {"x": "AA"},
        EC | {"y": 5},
        EC | {"alg": 5},
        EC | {"x5c": ["é"]},
        EC | {"x5c": [[]]},
        RSA | {"n": "AQAB"},
        RSA | {"n": "A" * 1900},
        RSA | {"e": "AA"},
        RSA | {"e": ""},
        "key",
        None,
    ],
)
def test_private_weak_and_malformed_keys_are_refused(jwk):
    with pytest.raises(UnusableKeys):
        read_keys({"keys": [jwk]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["keys", "kty", "kid", "crv", "x", "y", "n", "e", "x5c", "use"]), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_no_document_breaks_the_reading(document):
    with contextlib.suppress(UnusableKeys):
        assert read_keys(document).keys
