import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.accounts.account import is_zone, login_url, own_path
from device_gateway.accounts.routes import _leads_to


@pytest.mark.parametrize("path", ["/", "/devices?done=renamed", "/oauth/authorize?scope=a%20b", "/é"])
def test_a_path_of_ours_is_kept(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", None, "https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "/ /evil", "evil",
     "/\n/evil", "\\\\evil", "javascript:alert(1)", "/a\u2028b"],
)  # fmt: skip
def test_a_path_that_leaves_the_site_is_replaced(path: str | None) -> None:
    assert own_path(path) == "/"


@given(st.text())
def test_whatever_is_kept_begins_with_one_slash_and_stays_on_one_line(path: str) -> None:
    kept = own_path(path)
    assert kept.startswith("/")
    assert not kept.startswith(("//", "/\\"))
    assert kept.isprintable()


@pytest.mark.parametrize("name", ["Europe/Paris", "America/Argentina/Ushuaia", "Indian/Reunion", "UTC"])
def test_a_zone_with_a_place_is_accepted(name: str) -> None:
    assert is_zone(name)


@pytest.mark.parametrize(
    "name", ["GMT+4", "Etc/GMT+4", "CET", "EST5EDT", "Europe/paris", "", "../etc/passwd", "Mars/Base"]
)
def test_a_zone_without_a_place_is_not(name: str) -> None:
    assert not is_zone(name)


def test_the_way_back_from_signing_in_is_one_parameter() -> None:
    assert login_url("/a?b=c&d=e") == "/login?next=%2Fa%3Fb%3Dc%26d%3De"


@pytest.mark.parametrize(
    ("path", "origins"),
    [
        ("/oauth/authorize?redirect_uri=https%3A%2F%2Fapp.example%2Fcb", ["https://app.example"]),
        ("/oauth/authorize?redirect_uri=http%3A%2F%2F127.0.0.1%3A9100%2Fcb", ["http://127.0.0.1:9100"]),
        ("/oauth/authorize?redirect_uri=https%3A%2F%2Fa%3B%20script-src%20*%2F", []),
        ("/oauth/authorize?redirect_uri=javascript%3Aalert(1)", []),
        ("/devices?redirect_uri=https%3A%2F%2Fapp.example%2Fcb", []),
    ],
)
def test_the_sign_in_form_may_end_at_an_app_only_where_an_app_sent_here(path: str, origins: list[str]) -> None:
    assert _leads_to(path) == origins
