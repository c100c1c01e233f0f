"""Reading client assertions: whatever is sent, the answer is that nothing was proved."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_catalog.clients.assertion import NotProven, check_claims, read_assertion
from app_catalog.clients.certificate import BadCertificate, _der

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
GOOD = {"iss": "me", "sub": "me", "aud": "https://as.example", "exp": NOW.timestamp() + 60, "jti": "1"}
HEAD = {"alg": "ES384", "kid": "1", "typ": "JWT"}


def compact(header, claims):
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in (header, claims)]
    return ".".join([*parts, "signature"])


def checked(header, claims):
    check_claims(
        read_assertion(compact(header, claims)),
        client_id="me",
        algs=("ES384",),
        audiences=("https://as.example",),
        jwks_uri=None,
        now=NOW,
    )


def test_good_claims_pass_with_an_audience_alone_or_alone_in_a_list():
    checked(HEAD, GOOD)
    checked(HEAD, GOOD | {"aud": ["https://as.example"]})


@given(st.sampled_from(["alg", "kid", "typ", "crit", "jku"]), JSON)
def test_no_header_breaks_the_check(name, value):
    try:
        checked(HEAD | {name: value}, GOOD)
    except NotProven:
        return
    assert name in {"kid", "typ"} or value in ("ES384", None)


@given(st.sampled_from(["iss", "sub", "aud", "exp", "jti"]), JSON)
def test_no_claim_breaks_the_check(name, value):
    try:
        checked(HEAD, GOOD | {name: value})
    except NotProven:
        return
    assert name == "jti"


def test_what_json_can_write_and_a_database_cannot_keep_is_no_assertion():
    for text in ("\0", "a\0b", "\ud800", "\r\n"):
        for header, claims in (
            (HEAD, GOOD | {"sub": text}),
            (HEAD, GOOD | {"jti": text}),
            (HEAD | {"kid": text}, GOOD),
        ):
            with pytest.raises(NotProven):
                read_assertion(compact(header, claims))


@given(st.text())
def test_no_text_breaks_the_reading(text):
    for each in (text, f"{text}.{text}.{text}", f"e30.{text}.x"):
        with pytest.raises(NotProven):
            checked_text(each)


def checked_text(text):
    assertion = read_assertion(text)
    check_claims(assertion, client_id="me", algs=("ES384",), audiences=(), jwks_uri=None, now=NOW)


@given(st.text())
def test_no_header_of_a_proxy_breaks_the_reading(text):
    for each in (text, f":{text}:", f"-----BEGIN CERTIFICATE-----{text}-----END CERTIFICATE-----"):
        try:
            assert isinstance(_der(each), bytes)
        except BadCertificate:
            continue
