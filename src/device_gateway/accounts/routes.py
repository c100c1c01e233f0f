"""``/login`` and ``/logout``."""

import re
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request
from psycopg import AsyncConnection
from starlette.responses import RedirectResponse, Response

from app_catalog import on_signed_out
from device_gateway.accounts.account import own_path
from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_origin, check_token
from device_gateway.accounts.sessions import close_session, forget_cookie, session_hash, set_cookie, signed_in
from device_gateway.accounts.sign_in import sign_in
from device_gateway.database.pool import Row
from device_gateway.database.scoping import enter_space
from device_gateway.journal import Event, EventName, record
from device_gateway.state import pages_of, pool_of, settings_of, wiring_of

HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")  # nothing that could end a directive of the policy

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def sign_in_page(request: Request) -> Response:
    target = own_path(request.query_params.get("next"))
    if await signed_in(request):
        return RedirectResponse(target, 303)
    context = {"next": target, "username": "", "refused": False, "form_action": _leads_to(target)}
    return pages_of(request).render(request, "login.html", context)


@router.post("/login")
async def sign_in_form(request: Request) -> Response:
    """Fields `username`, `password`, and `next`, the path of ours to go on to (also taken from the query)."""
    check_origin(request)
    form = await read_form(request)
    target = own_path(form.get("next") or request.query_params.get("next"))
    settings, pool = settings_of(request), pool_of(request)
    username = form.get("username", "")
    done = await sign_in(pool, username, form.get("password", ""), settings.session_hours)
    if done is None:
        context = {"next": target, "username": username[:64], "refused": True, "form_action": _leads_to(target)}
        return pages_of(request).render(request, "login.html", context, status=401)
    if former := session_hash(request):  # signing in again: the former session ends
        async with pool.connection() as connection, connection.transaction():
            await close_session(connection, former)
            await _end_online_access(request, connection, former)
    response = RedirectResponse(target, 303)
    set_cookie(response, settings, done.cookie)
    return response


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    account, digest = await signed_in(request), session_hash(request)
    response = RedirectResponse("/login", 303)
    forget_cookie(response, settings_of(request))
    if account is None or digest is None:
        return response
    check_token(await read_form(request), account)
    async with pool_of(request).connection() as connection, connection.transaction():
        await close_session(connection, digest)
        await _end_online_access(request, connection, digest)
        if account.subject:
            await enter_space(connection, account.subject)
        await record(connection, Event(EventName.SIGNED_OUT, account.subject, account.actor))
    return response


async def _end_online_access(request: Request, connection: AsyncConnection[Row], session: bytes) -> None:
    wiring = wiring_of(request)
    await on_signed_out(connection, session, wiring.journal, wiring.data_plane, wiring.clock())


def _leads_to(path: str) -> list[str]:
    """Where the sign-in form may end beside our own pages: an app's redirect URI, when it was the app that sent here.

    ``form-action`` applies to every redirect that follows a form (CSP 3), so an app that needs no new consent would
    otherwise be unreachable from here.
    """
    target = urlsplit(path)
    if not target.path.startswith("/oauth/"):
        return []
    found = []
    for uri in parse_qs(target.query).get("redirect_uri", []):
        parts = urlsplit(uri)
        if parts.scheme in ("http", "https") and HOST.fullmatch(parts.netloc):
            found.append(f"{parts.scheme}://{parts.netloc}")
        elif parts.scheme == "http" and parts.netloc.startswith("["):
            found.append("http:")  # the grammar of CSP has no IPv6 address
    return found
