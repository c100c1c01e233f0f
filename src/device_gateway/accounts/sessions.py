"""Sessions in PostgreSQL: the browser holds a random cookie, the table its SHA-256.

The cookie ends with the second at which it was given: nobody can change it, for its hash is what is looked up.
"""

import hashlib
import secrets
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from psycopg import AsyncConnection
from starlette.requests import HTTPConnection
from starlette.responses import Response

from device_gateway.accounts.account import DEFAULT_ZONE, Account
from device_gateway.database.pool import Row
from device_gateway.settings import Settings
from device_gateway.state import pool_of, settings_of

TOKEN_BYTES = 32  # bytes of randomness in a cookie and in a CSRF token

SESSION_OF = "SELECT * FROM gateway.session_account(%s)"
SESSION_OPEN = "SELECT gateway.session_open(%s, %s, %s, %s)"
SESSION_CLOSE = "SELECT gateway.session_close(%s)"


def cookie_name(settings: Settings) -> str:
    """With https the prefix makes browsers refuse one that another host or plain http tries to set."""
    return "__Host-session" if _secure(settings) else "session"


async def signed_in(request: HTTPConnection) -> Account | None:
    """Who is signed in with this request, or None. Asked once per request, then remembered in its state."""
    if not hasattr(request.state, "account"):
        request.state.account = await _load(request)
    return cast("Account | None", request.state.account)


def account_of(request: HTTPConnection) -> Account | None:
    """What `signed_in` found for this request earlier; None when nobody asked."""
    return cast("Account | None", getattr(request.state, "account", None))


def session_hash(request: HTTPConnection) -> bytes | None:
    """Key of the request's session in the database, or None without a cookie."""
    cookie = request.cookies.get(cookie_name(settings_of(request)))
    return hashlib.sha256(cookie.encode()).digest() if cookie else None


def opened_at(request: HTTPConnection) -> datetime | None:
    """When the person behind a signed-in request signed in; None for a session of an older version of ours."""
    _, _, seconds = request.cookies.get(cookie_name(settings_of(request)), "").partition(".")
    return datetime.fromtimestamp(int(seconds), UTC) if seconds.isascii() and seconds.isdecimal() else None


async def open_session(connection: AsyncConnection[Row], account: UUID, hours: int) -> str:
    """A new session; returns the cookie's value, which is kept nowhere here."""
    cookie = f"{secrets.token_urlsafe(TOKEN_BYTES)}.{int(datetime.now(UTC).timestamp())}"
    csrf = secrets.token_urlsafe(TOKEN_BYTES)
    digest = hashlib.sha256(cookie.encode()).digest()
    await connection.execute(SESSION_OPEN, (digest, account, csrf, hours))
    return cookie


async def close_session(connection: AsyncConnection[Row], digest: bytes) -> None:
    await connection.execute(SESSION_CLOSE, (digest,))


def set_cookie(response: Response, settings: Settings, cookie: str) -> None:
    response.set_cookie(
        cookie_name(settings),
        cookie,
        max_age=settings.session_hours * 3600,
        httponly=True,
        samesite="lax",
        secure=_secure(settings),
        path="/",
    )


def forget_cookie(response: Response, settings: Settings) -> None:
    response.delete_cookie(cookie_name(settings), httponly=True, samesite="lax", secure=_secure(settings), path="/")


async def _load(request: HTTPConnection) -> Account | None:
    digest = session_hash(request)
    if digest is None:
        return None
    async with pool_of(request).connection() as connection:
        row = await (await connection.execute(SESSION_OF, (digest,))).fetchone()
    if row is None:
        return None
    return Account(
        row.id, row.kind, row.space_id, row.display_name, row.language, row.csrf_token, row.zone or DEFAULT_ZONE,
        row.simulated,
    )  # fmt: skip


def _secure(settings: Settings) -> bool:
    return settings.public_url.startswith("https:")
