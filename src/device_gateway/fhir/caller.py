"""Who calls: the app behind a bearer token, or the reason why it is turned away (RFC 6750)."""

import re
from typing import Final

from psycopg import AsyncConnection
from starlette.requests import Request

from app_catalog import AppGrant, BadCertificate, call_answered, call_refused, grant_of_token
from device_gateway.access import App, Deny, decision_event
from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.fhir.errors import TokenMissing, TokenRefused
from device_gateway.fhir.served import Answer, Asking
from device_gateway.journal import EventName, record_hourly
from device_gateway.state import wiring_of

BAD_REQUEST: Final = 400  # statuses from here on are errors
_BEARER: Final = re.compile(r"bearer +(?P<token>[A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE | re.ASCII)


def bearer_token(request: Request) -> str:
    """Raises TokenMissing where no Bearer token is sent, TokenRefused for one that no server would have issued.

    A token in the query or in a form is not looked at (OAuth 2.1 §5.1).
    """
    headers = request.headers.getlist("authorization")
    if not headers or not headers[0].lower().startswith("bearer"):
        raise TokenMissing
    found = _BEARER.fullmatch(headers[0].strip())
    if len(headers) > 1 or found is None:
        raise TokenRefused
    return found["token"]


async def calling_app(request: Request, connection: AsyncConnection[Row]) -> App:
    """The app, its token good at this moment. Raises TokenRefused.

    That a token which used to work was turned away is written into the journal of its patient and committed, once an
    hour for each app and reason; a token that never was has no patient.
    """
    wiring = wiring_of(request)
    grant = await grant_of_token(connection, bearer_token(request), wiring.clock())
    if grant is None:
        raise TokenRefused
    refusal = grant.refusal or _wrong_bearer(request, grant)
    if refusal is not None:
        if grant.tested_application is not None:
            await call_refused(connection, grant, refusal, wiring.clock())
        await _journal_refusal(connection, grant, refusal)
        raise TokenRefused
    return App(grant)


async def tell_tests(request: Request, asking: Asking, answer: Answer) -> None:
    """A candidate that is tried in the sandbox is watched: has it got data, or asked for what it was not granted?"""
    if asking.app.grant.tested_application is None or not asking.decisions:
        return
    refused = [each.reason for each in asking.decisions if isinstance(each, Deny)]
    outside = refused[0] if len(refused) == len(asking.decisions) else None
    if outside is not None or answer.status < BAD_REQUEST:
        wiring = wiring_of(request)
        await call_answered(asking.connection, asking.app.grant, outside, wiring.data_plane, wiring.clock())


def _wrong_bearer(request: Request, grant: AppGrant) -> str | None:
    """Why a token that is bound to a certificate does not work for who bears it (RFC 8705 §3)."""
    try:
        certificate = wiring_of(request).certificates.of(request)
    except BadCertificate:
        certificate = None
    return None if grant.is_borne_rightly(certificate) else "certificate missing or wrong"


async def _journal_refusal(connection: AsyncConnection[Row], grant: AppGrant, reason: str) -> None:
    async with space_scope(connection, grant.subject):
        refused = Deny(reason, unauthorised=True)
        event = decision_event(grant.subject, App(grant), EventName.APP_REFUSED, refused, resource="request")
        await record_hourly(connection, event)
