"""A browser without a screen: cookies, redirects, and the hidden fields of forms."""

import html
import re
from collections.abc import Iterable, Mapping
from typing import Self

import httpx2

from device_simulators.trust import trusted

# A connection is used once: a server that closes an idle one just then would have us fail, or ask twice.
ONE_REQUEST = httpx2.Limits(max_keepalive_connections=0)
TIMEOUT_S = 20.0  # for each page; an app that waits for the gateway has ten
MAX_SHOWN = 300  # characters of a page that surprised


class Unexpected(Exception):
    """A page is not what it has to be for the walk to go on."""

    def __init__(self, wanted: str, page: httpx2.Response) -> None:
        where = page.url.copy_with(query=None)  # a query may have a code in it
        text = " ".join(re.sub(r"<[^>]*>", " ", page.text).split())[:MAX_SHOWN]
        super().__init__(f"{wanted}, but {where} answered {page.status_code}: {text}")


class Browser:
    """Of one person. To be used in ``with``."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._http = httpx2.Client(follow_redirects=True, timeout=TIMEOUT_S, limits=ONE_REQUEST, verify=trusted())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def sign_in(self, username: str, password: str) -> None:
        """Raises Unexpected where the gateway does not know them."""
        page = self._http.post(
            f"{self.base_url}/login", data={"username": username, "password": password}, follow_redirects=False
        )
        if page.status_code != httpx2.codes.SEE_OTHER:
            raise Unexpected(f"{username} should be signed in", page)

    def get(self, url: str) -> httpx2.Response:
        return self._http.get(url)

    def post(self, url: str, fields: Mapping[str, str | list[str]]) -> httpx2.Response:
        return self._http.post(url, data=dict(fields))


def hidden(page: httpx2.Response, names: Iterable[str]) -> dict[str, str]:
    """Values of hidden fields. Raises Unexpected where one is not there."""
    found = {name: re.search(f'name="{re.escape(name)}" value="([^"]*)"', page.text) for name in names}
    if missing := [name for name, match in found.items() if match is None]:
        raise Unexpected(f"a form should have {', '.join(missing)}", page)
    return {name: html.unescape(match[1]) for name, match in found.items() if match}


def words(markup: str) -> str:
    """The text of a piece of a page."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", markup).split()))
