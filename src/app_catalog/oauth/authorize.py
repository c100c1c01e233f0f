"""``/oauth/authorize``: check the request, have the patient sign in, ask."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlencode
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import App, app_by_client, tested_app
from app_catalog.catalogue.reach import may_connect
from app_catalog.consents.reapproval import open_question
from app_catalog.errors import NotAllowed
from app_catalog.form import Fields, Malformed, read_body, read_query
from app_catalog.interoperability.watch import authorization_asked, authorization_refused
from app_catalog.oauth import lifetimes
from app_catalog.oauth.authorization_request import (
    CHECKS_ANSWERED_BY_A_PAGE,
    CHECKS_ANSWERED_TO_THE_CLIENT,
    REFERENCE_PREFIX,
    Asked,
    subject_of,
)
from app_catalog.oauth.browser import back_to_client, error_page, see_other
from app_catalog.oauth.consent_page import PendingRequest, consent_page
from app_catalog.oauth.failure import Refused
from app_catalog.oauth.launch import open_launch
from app_catalog.oauth.par import pushed_fields, use_pushed
from app_catalog.sandbox.tested import app_for
from app_catalog.scopes.grammar import ONLINE_ACCESS
from app_catalog.space import space
from app_catalog.wiring import Connection, Person, Wiring
from app_catalog.words import marked

PATH = "/oauth/authorize"
CLOSED = marked("This request is no longer open: go back to the app and begin again.")
NOT_INVITED = "The app is in service for a circle of invited patients."
ADD_REQUEST = """INSERT INTO catalogue.authorization_request (id, subject, person, app_id, redirect_uri, scope, state,
    code_challenge, expires_at, nonce, launch, application_id)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""


async def authorize(wiring: Wiring, request: Request) -> Response:
    """A consent page; or sign-in first; or an error, to the client only once it is known to be one."""
    try:
        fields = await read_body(request) if request.method == "POST" else read_query(request)
    except Malformed as error:
        return error_page(wiring, request, Refused("invalid_request", str(error)))
    person = await wiring.signed_in(request)
    try:
        asked = await _asked(wiring, fields, person)
        await _checked(wiring, asked, CHECKS_ANSWERED_BY_A_PAGE)
    except Refused as refused:
        return error_page(wiring, request, refused)
    # To an address that no reviewer has seen yet nothing is sent, not even an error, before it is a simulated patient.
    if person is None and (asked.known_app.tested or "none" not in asked.fields.text("prompt").split()):
        return see_other(_sign_in_url(wiring, request, fields))
    asked = _of_browser(wiring, request, asked)
    try:
        await _checked(wiring, asked, CHECKS_ANSWERED_TO_THE_CLIENT)
        async with wiring.pool.connection() as connection:
            await _told_to_tests(wiring, connection, asked)
            pending = await _keep(wiring, connection, asked)
            return await consent_page(wiring, request, connection, pending, asked.known_person)
    except Refused as refused:
        return back_to_client(wiring, asked.redirect_uri, refused, asked.fields.get("state"))
    except Closed:
        return error_page(wiring, request, Refused("invalid_request_uri", CLOSED))


class Closed(Exception):
    """The pushed request was used a moment ago."""


async def _asked(wiring: Wiring, fields: Fields, person: Person | None) -> Asked:
    """What is asked: the parameters, or what the client pushed under the name that they give; then nothing else counts
    (RFC 9126 §4). Raises Refused."""
    request_uri = fields.text("request_uri")
    async with wiring.pool.connection() as connection:
        app = await app_by_client(connection, fields.text("client_id"))
        if app is None:
            return Asked(fields, wiring.fhir_url, app, person)
        if not request_uri.startswith(REFERENCE_PREFIX):
            return Asked(fields, wiring.fhir_url, await _as_met(connection, app, person, fields), person)
        pushed = await pushed_fields(wiring, connection, app, request_uri)
        if pushed is None or fields.repeated:
            raise Refused("invalid_request_uri", CLOSED)
        app = await _as_met(connection, app, person, pushed)
        return Asked(pushed, wiring.fhir_url, app, person, pushed=True, reference=request_uri)


async def _checked(wiring: Wiring, asked: Asked, checks: Sequence[Callable[[Asked], None]]) -> None:
    """Raises Refused, which the tests of a client in the sandbox are told."""
    try:
        for check in checks:
            check(asked)
    except Refused:
        if asked.app is not None and asked.app.tested and asked.person is not None:
            async with wiring.pool.connection() as connection:
                await authorization_refused(
                    connection, asked.app, asked.fields, wiring.clock(),
                    redirect_uri=checks is CHECKS_ANSWERED_BY_A_PAGE,
                )  # fmt: skip
        raise


async def _told_to_tests(wiring: Wiring, connection: Connection, asked: Asked) -> None:
    """Raises Refused where a scenario wants it."""
    app, subject = asked.known_app, asked.known_person.subject
    if app.tested and subject is not None:
        refused = await authorization_asked(connection, app, subject, asked.fields, wiring.clock())
        if refused is not None:
            raise refused


async def _as_met(connection: Connection, app: App, person: Person | None, fields: Fields) -> App | None:
    """The app as the space of `person` meets it. Before anybody signed in it may be either: what is in force, or what
    waits for a decision and alone has the redirect URI. Raises Refused, as a page: a candidate's redirect URI was seen
    by nobody yet."""
    if person is not None:
        try:
            return await app_for(connection, app.id, person.subject)
        except NotAllowed as error:
            raise Refused("unauthorized_client", error.message) from None
    if app.tested or fields.text("redirect_uri") in app.redirect_uris:
        return app
    tested = await tested_app(connection, app.id)
    return tested if tested and fields.text("redirect_uri") in tested.redirect_uris else app


def _sign_in_url(wiring: Wiring, request: Request, fields: Fields) -> str:
    """Where to sign in and come back. A POST from another site came without the session's cookie (SameSite): its
    parameters go on as a GET of our own, which has the cookie if there is one."""
    here = f"{PATH}?{urlencode(fields.pairs)}"
    return here if request.method == "POST" else wiring.login_url(here)


def _of_browser(wiring: Wiring, request: Request, asked: Asked) -> Asked:
    """With what the session of this browser allows to grant."""
    sign_in = wiring.session(request)
    if sign_in is None:
        return replace(asked, offered=wiring.context_scopes - {ONLINE_ACCESS})
    age = wiring.clock() - sign_in.since
    return replace(asked, offered=wiring.context_scopes, age_s=age.total_seconds())


async def _keep(wiring: Wiring, connection: Connection, asked: Asked) -> PendingRequest:
    """Keep what was asked on our side: the form that the patient sends back names it, and can change nothing in it.

    Raises Refused for a patient who may not connect this app, and for a launch that is not theirs with it.
    """
    person, app, now = asked.known_person, asked.known_app, wiring.clock()
    subject, launch = subject_of(person), asked.fields.get("launch")
    async with space(connection, subject):
        if not await may_connect(connection, app, subject):
            raise Refused("unauthorized_client", NOT_INVITED)
        if asked.reference is not None and not await use_pushed(wiring, connection, asked.reference):
            raise Closed
        pending = PendingRequest(
            id=uuid4(),
            app=app,
            redirect_uri=asked.redirect_uri,
            scopes=asked.scopes,
            state=asked.fields.get("state"),
            code_challenge=asked.fields.text("code_challenge"),
            nonce=asked.fields.get("nonce"),
            launch=await open_launch(connection, launch, app, person, now) if launch else None,
            asks_anew=await open_question(connection, app.id, subject) is not None,
        )
        await connection.execute(
            ADD_REQUEST,
            (pending.id, subject, person.id, app.id, pending.redirect_uri, str(pending.scopes), pending.state,
             pending.code_challenge, now + lifetimes.AUTHORIZATION_REQUEST, pending.nonce, pending.launch,
             app.application_id),
        )  # fmt: skip
    return pending
