"""Where keys may be fetched from, and for how long they may be kept."""

from datetime import timedelta

import pytest

from app_catalog.clients.fetch import fault_of_jwks_uri, keep_for
from app_catalog.clients.outward import is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0",  # noqa: S104  refused, not bound to
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::", "64:ff9b::a00:1", "64:ff9b::7f00:1",
        "2001:0:0:0:0:0:80ff:fffe", "::127.0.0.1", "::ffff:0:127.0.0.1", "fec0::1", "64:ff9b:1::7f00:1", "5f00::1",
    ],
)  # fmt: skip
def test_addresses_of_our_own_side_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["9.9.9.9", "2620:fe::fe", "::ffff:9.9.9.9", "64:ff9b::909:909"])
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 300),
        ("public", 300),
        ("max-age=60", 60),
        ("Public, Max-Age = 60", 60),
        ('max-age="60"', 60),
        ("max-age=60, max-age=10", 10),
        ("max-age=0", 0),
        ("no-store", 0),
        ("max-age=60, no-cache", 0),
        ("max-age=86400", 4 * 3600),
        ("max-age=-5", 300),
    ],
)
def test_keys_are_kept_as_their_cache_control_says_and_four_hours_at_most(header, seconds):
    assert keep_for(header) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example/jwks", "https://u:p@app.example/", "https://app.example/#a", "https:///jwks", "https://[::2]/",
        "file:///etc/passwd", "https://app.example:99999/", "https://app.example/\n", "https://é.example/", "",
    ],
)  # fmt: skip
def test_keys_are_published_under_a_plain_https_uri(uri):
    assert fault_of_jwks_uri(uri)


def test_a_plain_https_uri_is_fine():
    assert fault_of_jwks_uri("https://app.example:8443/.well-known/jwks.json?v=1") is None
