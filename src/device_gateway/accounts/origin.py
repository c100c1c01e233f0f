"""Forms that come from elsewhere: told by the session's CSRF token; without a session, by where they were sent from."""

import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request

from device_gateway.accounts.account import Account
from device_gateway.errors import Forbidden
from device_gateway.state import settings_of

CSRF_FIELD = "csrf_token"


class StaleForm(Forbidden):
    """This page is too old: go back, reload it and try again."""


class ForeignForm(Forbidden):
    """This form was sent from another site."""


def check_token(form: Mapping[str, str], account: Account) -> None:
    """Raises StaleForm unless `form` carries the token of the session."""
    if not hmac.compare_digest(form.get(CSRF_FIELD, "").encode(), account.csrf_token.encode()):
        raise StaleForm


def check_origin(request: Request) -> None:
    """Raises ForeignForm when a browser says that the form is another site's. A script that says nothing may pass.

    Browsers send Origin with every cross-site POST, and Sec-Fetch-Site; nobody can make them leave both out.
    """
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise ForeignForm
    origin = request.headers.get("origin")
    if origin is None:
        return
    ours = {settings_of(request).public_url, f"{request.url.scheme}://{request.headers.get('host', '')}"}
    if _origin(origin) not in {_origin(one) for one in ours}:
        raise ForeignForm


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
