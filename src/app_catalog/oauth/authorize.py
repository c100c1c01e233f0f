"""``/oauth/authorize``: check the request, have the patient sign in, ask."""

from dataclasses import replace
from urllib.parse import urlencode
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import app_by_client
from app_catalog.form import Fields, Malformed, read_body, read_query
from app_catalog.oauth import lifetimes
from app_catalog.oauth.authorization_request import (
    CHECKS_ANSWERED_BY_A_PAGE,
    CHECKS_ANSWERED_TO_THE_CLIENT,
    Asked,
    subject_of,
)
from app_catalog.oauth.browser import back_to_client, error_page, see_other
from app_catalog.oauth.consent_page import PendingRequest, consent_page
from app_catalog.oauth.failure import Refused
from app_catalog.space import space
from app_catalog.wiring import Connection, Person, Wiring

PATH = "/oauth/authorize"
ADD_REQUEST = """INSERT INTO catalogue.authorization_request (id, subject, person, app_id, redirect_uri, scope, state,
    code_challenge, expires_at)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""


async def authorize(wiring: Wiring, request: Request) -> Response:
    """A consent page; or sign-in first; or an error, to the client only once it is known to be one."""
    try:
        fields = await read_body(request) if request.method == "POST" else read_query(request)
    except Malformed as error:
        return error_page(wiring, request, Refused("invalid_request", str(error)))
    async with wiring.pool.connection() as connection:
        asked = Asked(fields, wiring.fhir_url, await app_by_client(connection, fields.text("client_id")))
    try:
        for check in CHECKS_ANSWERED_BY_A_PAGE:
            check(asked)
    except Refused as refused:
        return error_page(wiring, request, refused)
    person = await wiring.signed_in(request)
    if person is None:
        return see_other(_sign_in_url(wiring, request, fields))
    asked = replace(asked, person=person)
    try:
        for check in CHECKS_ANSWERED_TO_THE_CLIENT:
            check(asked)
        async with wiring.pool.connection() as connection:
            pending = await _keep(wiring, connection, asked, person)
            return await consent_page(wiring, request, connection, pending, person)
    except Refused as refused:
        return back_to_client(wiring, asked.redirect_uri, refused, fields.get("state"))


def _sign_in_url(wiring: Wiring, request: Request, fields: Fields) -> str:
    """Where to sign in and come back. A POST from another site came without the session's cookie (SameSite): its
    parameters go on as a GET of our own, which has the cookie if there is one."""
    here = f"{PATH}?{urlencode(fields.pairs)}"
    return here if request.method == "POST" else wiring.login_url(here)


async def _keep(wiring: Wiring, connection: Connection, asked: Asked, person: Person) -> PendingRequest:
    """Keep what was asked on our side: the form that the patient sends back names it, and can change nothing in it."""
    subject = subject_of(person)
    pending = PendingRequest(
        id=uuid4(),
        app=asked.known_app,
        redirect_uri=asked.redirect_uri,
        scopes=asked.scopes,
        state=asked.fields.get("state"),
        code_challenge=asked.fields.text("code_challenge"),
    )
    expires = wiring.clock() + lifetimes.AUTHORIZATION_REQUEST
    async with space(connection, subject):
        await connection.execute(
            ADD_REQUEST,
            (pending.id, subject, person.id, pending.app.id, pending.redirect_uri, str(pending.scopes), pending.state,
             pending.code_challenge, expires),
        )  # fmt: skip
    return pending
