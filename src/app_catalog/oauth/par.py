"""``/oauth/par`` (RFC 9126): a client hands over an authorization request itself, and gets a name for it.

What the browser then carries can be neither read nor changed by who sits between; and the client is known before any
patient is asked.
"""

import json
from dataclasses import replace
from functools import partial

from authlib.oauth2 import OAuth2Error
from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import App, app_by_client, tested_app
from app_catalog.clients.proof import Proof, prove
from app_catalog.form import Fields, Malformed, read_body
from app_catalog.interoperability.watch import authorization_refused
from app_catalog.oauth import client_authentication, lifetimes
from app_catalog.oauth.authorization_request import (
    CHECKS_ANSWERED_BY_A_PAGE,
    CHECKS_OF_A_PUSHED_REQUEST,
    REFERENCE_PREFIX,
    Asked,
)
from app_catalog.oauth.client_authentication import Presented
from app_catalog.oauth.decision import Decision, decide
from app_catalog.oauth.endpoint import in_turn
from app_catalog.oauth.failure import Refused, answer, refusal
from app_catalog.oauth.profiles import METHODS
from app_catalog.oauth.secret_text import new_secret, sha256
from app_catalog.oauth.server import Request as OAuthRequest
from app_catalog.oauth.server import Server
from app_catalog.oauth.token import not_bearer
from app_catalog.wiring import Connection, Wiring

PATH = "/oauth/par"
CHECKS = (*client_authentication.CHECKS, not_bearer)
AUTHENTICATING = frozenset({"client_secret", "client_assertion", "client_assertion_type"})  # nothing of it is kept
ADD_PUSHED = "INSERT INTO catalogue.pushed_request (hash, app_id, parameters, expires_at) VALUES (%s, %s, %s, %s)"
PUSHED = """SELECT parameters FROM catalogue.pushed_request
  WHERE hash = %s AND app_id = %s AND used_at IS NULL AND expires_at > %s"""
USE_PUSHED = "UPDATE catalogue.pushed_request SET used_at = %s WHERE hash = %s AND used_at IS NULL AND expires_at > %s"


async def push(wiring: Wiring, server: Server, request: Request) -> Response:
    """201 with a ``request_uri`` that works once; or the error that the authorization endpoint would give."""
    try:
        presented = Presented(await read_body(request), request.headers)
        for check in CHECKS:
            check(presented)
        proof = await prove(wiring, request, presented)
        return await in_turn(wiring, PATH, presented.client_id, partial(_keep, wiring, server, presented, proof))
    except Malformed as error:
        return refusal(Refused("invalid_request", str(error)))
    except Refused as refused:
        return refusal(refused)


async def _keep(wiring: Wiring, server: Server, presented: Presented, proof: Proof | None) -> Response:
    """Raises Refused."""
    async with wiring.pool.connection() as connection:
        decision = Decision(await app_by_client(connection, presented.client_id), None, wiring.clock(), proof)
        oauth_request = OAuthRequest("POST", wiring.issuer + PATH, presented.headers, presented.fields)
        app = _authenticated(server, decision, oauth_request)
        asked = Asked(_kept(presented.fields, app), wiring.fhir_url, app, pushed=True)
        try:
            _check(asked, None if app.tested else await tested_app(connection, app.id))
        except Refused:
            if app.tested:
                await authorization_refused(
                    connection, app, asked.fields, decision.now, redirect_uri=not _names_its_address(asked)
                )
            raise
        reference = new_secret()
        await connection.execute(
            ADD_PUSHED,
            (sha256(reference), app.id, json.dumps(asked.fields.pairs), decision.now + lifetimes.PUSHED_REQUEST),
        )
    body = {"request_uri": REFERENCE_PREFIX + reference, "expires_in": int(lifetimes.PUSHED_REQUEST.total_seconds())}
    return answer(201, body)


async def pushed_fields(wiring: Wiring, connection: Connection, app: App, request_uri: str) -> Fields | None:
    """What `app` pushed under that name; None when it is used, over its time, or not this app's."""
    key = (sha256(request_uri.removeprefix(REFERENCE_PREFIX)), app.id, wiring.clock())
    row = await (await connection.execute(PUSHED, key)).fetchone()
    return Fields(tuple((name, value) for name, value in row.parameters)) if row else None


async def use_pushed(wiring: Wiring, connection: Connection, request_uri: str) -> bool:
    """Whether the request was still to be used; it is not any more."""
    now = wiring.clock()
    key = (now, sha256(request_uri.removeprefix(REFERENCE_PREFIX)), now)
    return (await connection.execute(USE_PUSHED, key)).rowcount == 1


def _check(asked: Asked, tested: App | None) -> None:
    """For whom it will be is not known yet: it is good if it is for a real patient, or for a simulated one. Raises
    Refused."""
    try:
        for check in (*CHECKS_ANSWERED_BY_A_PAGE, *CHECKS_OF_A_PUSHED_REQUEST):
            check(asked)
    except Refused:
        if tested is None:
            raise
        _check(replace(asked, app=tested), None)


def _names_its_address(asked: Asked) -> bool:
    try:
        for check in CHECKS_ANSWERED_BY_A_PAGE:
            check(asked)
    except Refused:
        return False
    return True


def _authenticated(server: Server, decision: Decision, request: OAuthRequest) -> App:
    with decide(decision):
        try:
            app: App = server.authenticate_client(request, METHODS).app
        except (OAuth2Error, ValueError):
            raise Refused("invalid_client", "The client could not be authenticated.") from None
    return app


def _kept(fields: Fields, app: App) -> Fields:
    """The request without what authenticates the client, and with its id where only an assertion named it."""
    pairs = tuple((name, value) for name, value in fields.pairs if name not in AUTHENTICATING and value)
    return Fields(pairs if fields.get("client_id") else (*pairs, ("client_id", app.client_id)))
