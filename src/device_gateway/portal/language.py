"""``POST /language``: French or English, for the account that is signed in, and for this browser in any case."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from device_gateway.accounts import signed_in
from device_gateway.accounts.account import LANGUAGES, own_path
from device_gateway.accounts.forms import BadForm, read_form
from device_gateway.accounts.origin import check_origin, check_token
from device_gateway.accounts.sessions import session_hash
from device_gateway.portal.pages import LANGUAGE_COOKIE
from device_gateway.state import pool_of, settings_of

SET_LANGUAGE = "SELECT gateway.account_set_language(%s, %s)"
YEAR_S = 31_536_000

router = APIRouter(include_in_schema=False)


@router.post("/language")
async def choose_language(request: Request) -> Response:
    """Fields `language` and `next`, the path of ours to go back to."""
    check_origin(request)
    form = await read_form(request)
    language = form.get("language")
    if language not in LANGUAGES:
        raise BadForm
    account = await signed_in(request)
    if account:
        check_token(form, account)
        async with pool_of(request).connection() as connection:
            await connection.execute(SET_LANGUAGE, (session_hash(request), language))
    response = RedirectResponse(own_path(form.get("next")), 303)
    secure = settings_of(request).public_url.startswith("https:")
    response.set_cookie(
        LANGUAGE_COOKIE, language, max_age=YEAR_S, httponly=True, samesite="lax", secure=secure, path="/"
    )
    return response
