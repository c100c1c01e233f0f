"""Which redirect URIs may be registered, and which are then accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_catalog.applications.redirect_uri import fault_of, is_registered, origin_of

REGISTERED = ("https://app.example/cb", "http://127.0.0.1/cb", "http://[::1]:8000/cb?a=b", "http://localhost:9000/cb")


@pytest.mark.parametrize(
    "uri",
    [
        *REGISTERED,
        "https://app.example",
        "https://app.example:8443/a/b?c=d",
        "https://xn--80ak6aa92e.example/cb",
        "http://127.0.0.1:49152/",
        "https://a-b.c-d.example/%C3%A9",
    ],
)
def test_https_and_loopback_addresses_may_be_registered(uri):
    assert fault_of(uri) is None


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://app.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://localhost.evil.example/cb",
        "http://169.254.169.254/cb",
        "https://*.example/cb",
        "https://app.example/*",
        "https://app.example/cb#",
        "https://app.example/cb#fragment",
        "https://user@app.example/cb",
        "https://user:word@app.example/cb",
        "https:///cb",
        "https:cb",
        "//app.example/cb",
        "/cb",
        "com.example.app:/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://app.example/a/../cb",
        "https://app.example/a/%2e%2E/cb",
        "https://app.example/cb?code=x",
        "https://app.example/cb?a=b&state=x",
        "https://app.example/cb\n",
        "https://app.example/c b",
        "https://app.example/é",
        "https://app.example\\@evil.example/cb",
        "https://app.example:port/cb",
        "https://app.example:99999/cb",
        "https://[2001:db8::1]/cb",
        "https://[::1/cb",
        "https://-app.example/cb",
        "https://app..example/cb",
        "https://app.example/" + "a" * 1000,
    ],
)
def test_everything_else_is_refused_with_a_reason(uri):
    assert fault_of(uri)


def test_addresses_are_compared_as_strings_but_for_the_port_of_a_loopback_literal():
    def native(uri):
        return is_registered(uri, REGISTERED, any_loopback_port=True)

    assert all(native(uri) for uri in REGISTERED)
    assert native("http://127.0.0.1:5000/cb")
    assert native("http://[::1]:1/cb?a=b")
    for uri in (
        "http://localhost:9001/cb",
        "http://127.0.0.2:5000/cb",
        "http://127.0.0.1:5000/other",
        "http://127.0.0.1:5000/cb?x=y",
        "http://127.0.0.1:5000/cb#f",
        "https://127.0.0.1/cb",
        "https://app.example:444/cb",
        "http://user@127.0.0.1:5000/cb",
        "http://127.0.0.1:99999/cb",
        "http://[::1",
    ):
        assert not native(uri), uri


def test_a_confidential_client_has_one_port_only():
    assert not is_registered("http://127.0.0.1:5000/cb", REGISTERED, any_loopback_port=False)


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://App.example/cb", "https://app.example"),
        ("https://app.example:443/cb", "https://app.example"),
        ("https://app.example:8443/cb", "https://app.example:8443"),
        ("http://127.0.0.1:80/cb", "http://127.0.0.1"),
        ("http://[::1]:8000/cb", "http://[::1]:8000"),
    ],
)
def test_the_origin_of_an_address_is_spelled_as_browsers_do(uri, origin):
    assert origin_of(uri) == origin


@given(st.text())
def test_any_text_is_judged_without_an_error(text):
    fault_of(text)
    is_registered(text, REGISTERED, any_loopback_port=True)
    fault_of("https://" + text)
    is_registered("http://127.0.0.1" + text, REGISTERED, any_loopback_port=True)
