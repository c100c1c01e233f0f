"""``/oauth/consent``: the patient's answer. It names the request that we kept; nothing else of it is believed."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import App
from app_catalog.catalogue.reach import may_connect
from app_catalog.consents.pairing import consented_keys, current_end, end_all_at, give, pair, withdraw
from app_catalog.consents.period import NO_SUCH_END, NoSuchEnd, chosen_end
from app_catalog.consents.reapproval import open_question, settle_question
from app_catalog.consents.wording import language_of
from app_catalog.errors import NotAllowed
from app_catalog.events import EventName
from app_catalog.form import Fields, read_body
from app_catalog.interoperability.watch import code_sent, refuses
from app_catalog.oauth.authorize import CLOSED
from app_catalog.oauth.authorize import PATH as AUTHORIZE_PATH
from app_catalog.oauth.browser import back_to_client, error_page
from app_catalog.oauth.consent_page import PendingRequest, consent_page
from app_catalog.oauth.decision import Decision, decide
from app_catalog.oauth.failure import Refused
from app_catalog.oauth.launch import use_launch
from app_catalog.oauth.server import Request as OAuthRequest
from app_catalog.oauth.server import Server
from app_catalog.sandbox.tested import app_for
from app_catalog.scopes.grammar import parse
from app_catalog.space import space
from app_catalog.wiring import CatalogueEvent, Connection, Person, SignIn, Wiring
from app_catalog.words import marked

PATH = "/oauth/consent"
TAKE_REQUEST = """UPDATE catalogue.authorization_request SET answered_at = %(now)s
  WHERE id = %(id)s AND person = %(person)s AND answered_at IS NULL AND expires_at > %(now)s
  RETURNING app_id, redirect_uri, scope, state, code_challenge, nonce, launch, application_id"""

STALE = marked("This page is too old: go back to the app and begin again.")
NEEDED = marked("The app cannot work without the purposes that it says are required: tick them, or refuse.")
NOTHING = marked("Tick at least one purpose, or refuse.")


class NotYet(Exception):
    """The answer cannot be taken as it is; the transaction is rolled back and the page shown again."""

    def __init__(self, pending: PendingRequest, fault: str) -> None:
        super().__init__(fault)
        self.pending = pending
        self.fault = fault


@dataclass(frozen=True)
class Answer:
    """A form that `person` sent about the request `request_id`, for the space `subject`."""

    request_id: UUID
    fields: Fields
    person: Person
    subject: UUID
    now: datetime
    sign_in: SignIn | None = None

    @property
    def ticked(self) -> frozenset[str]:
        return frozenset(self.fields.all("purpose"))

    async def ends_at(self, connection: Connection, app: App) -> datetime:
        """Until when it is agreed to. Raises NoSuchEnd."""
        kept = await current_end(connection, app.id, self.subject, self.now)
        choice, day = self.fields.text("ends"), self.fields.text("ends_on")
        return chosen_end(choice, day, zone=self.person.zone, now=self.now, kept=kept)


@dataclass(frozen=True)
class Yes:
    """Who agreed, for whose space, under which pairing id: what Authlib is given as the user."""

    person_id: UUID
    subject: UUID
    pairing_id: UUID
    sign_in: SignIn | None = None
    nonce: str | None = None
    tested_application: UUID | None = None  # in the space of a simulated patient: what is tried


async def answer(wiring: Wiring, server: Server, request: Request) -> Response:
    """Back to the app with a code or a refusal; or the page again when a required purpose is missing."""
    try:
        fields = await read_body(request)
        request_id = UUID(fields.text("request"))
    except ValueError:
        return error_page(wiring, request, Refused("invalid_request", CLOSED))
    person = await wiring.signed_in(request)
    if person is None or person.subject is None:
        return error_page(wiring, request, Refused("invalid_request", CLOSED))
    if not hmac.compare_digest(fields.text("csrf_token").encode(), person.csrf_token.encode()):
        return error_page(wiring, request, Refused("invalid_request", STALE, status=403))
    given = Answer(request_id, fields, person, person.subject, wiring.clock(), wiring.session(request))
    async with wiring.pool.connection() as connection:
        try:
            async with space(connection, given.subject):
                return await _take(wiring, server, connection, given)
        except NotYet as again:
            return await consent_page(
                wiring, request, connection, again.pending, person, sent=given.fields, fault=again.fault
            )
        except Refused as refused:
            return error_page(wiring, request, refused)


async def _take(wiring: Wiring, server: Server, connection: Connection, given: Answer) -> Response:
    pending = await _pending(connection, given)
    if given.fields.get("decision") != "approve":
        if pending.app.tested:
            await refuses(connection, pending.app, given.subject, given.now)
        await wiring.journal.write(connection, _event(EventName.APP_DENIED, given, pending.app, outcome="deny"))
        refused = Refused("access_denied", "The patient refused.")
        return back_to_client(wiring, pending.redirect_uri, refused, pending.state)
    if not await may_connect(connection, pending.app, given.subject):
        refused = Refused("unauthorized_client", "The app is not in service for new connections.")
        return back_to_client(wiring, pending.redirect_uri, refused, pending.state)
    if any(purpose.required and purpose.key not in given.ticked for purpose in pending.purposes):
        raise NotYet(pending, NEEDED)
    if not any(purpose.key in given.ticked for purpose in pending.purposes):
        raise NotYet(pending, NOTHING)
    try:
        ends_at = await given.ends_at(connection, pending.app)
    except NoSuchEnd:
        raise NotYet(pending, NO_SUCH_END) from None
    if pending.app.tested and await refuses(connection, pending.app, given.subject, given.now):
        return back_to_client(
            wiring, pending.redirect_uri, Refused("access_denied", "The patient refused."), pending.state
        )
    if pending.launch is not None and not await use_launch(connection, pending.launch, given.now):
        raise Refused("invalid_request", CLOSED)
    pairing_id = await _consent(wiring, connection, pending, given, ends_at)
    tested = pending.app.application_id if pending.app.tested else None
    yes = Yes(given.person.id, given.subject, pairing_id, given.sign_in, pending.nonce, tested)
    response = await _issue(server, connection, pending, yes, given.now)
    if pending.app.tested:
        return await code_sent(connection, pending.app, given.subject, response, given.now)
    return response


async def _pending(connection: Connection, given: Answer) -> PendingRequest:
    parameters = {"id": given.request_id, "person": given.person.id, "now": given.now}
    row = await (await connection.execute(TAKE_REQUEST, parameters)).fetchone()
    if row is None:
        raise Refused("invalid_request", CLOSED)
    try:
        app = await app_for(connection, row.app_id, given.subject)
    except NotAllowed:
        app = None
    if app is None or app.application_id != row.application_id:  # the patient has read the words of another version
        raise Refused("invalid_request", CLOSED)
    return PendingRequest(
        given.request_id, app, row.redirect_uri, parse(row.scope), row.state, row.code_challenge, row.nonce, row.launch,
        asks_anew=await open_question(connection, app.id, given.subject) is not None,
    )  # fmt: skip


async def _consent(
    wiring: Wiring, connection: Connection, pending: PendingRequest, given: Answer, ends_at: datetime
) -> UUID:
    """Write down what was ticked and unticked; purposes that the page did not show stay as they are."""
    app, subject, person_id, now = pending.app, given.subject, given.person.id, given.now
    pairing_id = await pair(connection, app.id, subject, now)
    before = await consented_keys(connection, app.id, subject)
    ticked = [purpose for purpose in pending.purposes if purpose.key in given.ticked]
    unticked = [purpose.key for purpose in pending.purposes if purpose.key in before - given.ticked]
    await withdraw(connection, pairing_id, unticked, person_id=person_id, now=now)
    new = await give(
        connection,
        pairing_id,
        app,
        ticked,
        subject=subject,
        person_id=person_id,
        language=language_of(given.person.language),
        data_plane=wiring.data_plane,
        now=now,
        ends_at=ends_at,
    )
    await end_all_at(connection, pairing_id, ends_at, subject=subject, person_id=person_id, now=now)
    if pending.asks_anew:
        await settle_question(connection, pairing_id, person_id=person_id, now=now)
    for key in new:
        await wiring.journal.write(connection, _event(EventName.PURPOSE_GIVEN, given, app, purpose=key))
    for key in unticked:
        await wiring.journal.write(connection, _event(EventName.PURPOSE_WITHDRAWN, given, app, purpose=key))
    keys = " ".join(sorted(await consented_keys(connection, app.id, subject)))
    paired = _event(EventName.APP_PAIRED, given, app, purpose=keys, scope=str(pending.scopes))
    await wiring.journal.write(connection, paired)
    return pairing_id


async def _issue(server: Server, connection: Connection, pending: PendingRequest, yes: Yes, now: datetime) -> Response:
    """Let Authlib make the code, and write it."""
    parameters = {
        "response_type": "code",
        "client_id": pending.app.client_id,
        "redirect_uri": pending.redirect_uri,
        "scope": str(pending.scopes),
        "state": pending.state or "",
        "code_challenge": pending.code_challenge,
        "code_challenge_method": "S256",
    }
    oauth_request = OAuthRequest("GET", server.issuer + AUTHORIZE_PATH, {}, Fields(tuple(parameters.items())))
    with decide(Decision(pending.app, None, now)) as decision:
        grant = server.get_consent_grant(oauth_request, yes)
        response: Response = server.create_authorization_response(oauth_request, grant_user=yes, grant=grant)
    for sql, values in decision.issue:
        await connection.execute(sql, values)
    return response


def _event(
    name: EventName,
    given: Answer,
    app: App,
    *,
    purpose: str | None = None,
    outcome: Literal["permit", "deny"] = "permit",
    **details: str,
) -> CatalogueEvent:
    return CatalogueEvent(
        name,
        given.subject,
        given.person.kind,
        given.person.id,
        given.person.display_name,
        f"app/{app.id}",
        purpose=purpose,
        outcome=outcome,
        details={"app": app.name, **details},
    )
