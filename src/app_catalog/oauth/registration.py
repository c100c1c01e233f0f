"""``/oauth/register`` (RFC 7591): a program gives the keys or certificate of a candidate's client.

Only with the initial access token that the candidate's vendor got from its page, and only once with each. A program
registers nothing that reviewers decide about: what it says about redirect URIs has to be what was submitted.
"""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import App
from app_catalog.catalogue.secret import new_secret_of
from app_catalog.clients.credentials import METHOD, Credentials, credentials_from
from app_catalog.clients.registration import Registrar, keep_credentials, use_initial_token
from app_catalog.errors import Unacceptable
from app_catalog.events import EventName
from app_catalog.oauth.failure import Refused, answer, refusal
from app_catalog.oauth.profiles import PROFILES
from app_catalog.wiring import CatalogueEvent, Connection, Wiring

PATH = "/oauth/register"
MAX_BYTES = 64 * 1024
GRANT_TYPES, RESPONSE_TYPES = frozenset({"authorization_code", "refresh_token"}), frozenset({"code"})
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="oauth", error="invalid_token"'}


async def register(wiring: Wiring, request: Request) -> Response:
    """201 with what is registered now; a secret, where the profile has one, is in this answer only."""
    try:
        metadata = await _metadata(request)
        async with wiring.pool.connection() as connection, connection.transaction():
            registrar = await _registrar(wiring, connection, request)
            return answer(201, await _register(wiring, connection, registrar, metadata))
    except Refused as refused:
        response = refusal(refused)
        if refused.status == 401:
            response.headers.update(CHALLENGE)
        return response


async def _registrar(wiring: Wiring, connection: Connection, request: Request) -> Registrar:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    registrar = await use_initial_token(connection, token.strip(), wiring.clock()) if token else None
    if scheme.lower() != "bearer" or registrar is None:
        raise Refused("invalid_token", "The initial access token does not work.", status=401)
    return registrar


async def _metadata(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Refused("invalid_client_metadata", "The body has to be application/json.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Refused("invalid_client_metadata", "The body is too long.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("invalid_client_metadata", "The body is no JSON.") from None
    if not isinstance(found, dict):
        raise Refused("invalid_client_metadata", "The body is no object.")
    return found


async def _register(
    wiring: Wiring, connection: Connection, registrar: Registrar, metadata: dict[str, Any]
) -> dict[str, Any]:
    app, profile, now = registrar.app, PROFILES[registrar.app.profile], wiring.clock()
    _check(app, metadata)
    about: dict[str, Any] = {METHOD: metadata.get(METHOD, min(profile.auth_methods))}
    if profile.has_keys:
        credentials = _credentials(app, metadata | about)
        await keep_credentials(connection, app.id, credentials, now)
        about = credentials.metadata
    elif about[METHOD] not in profile.auth_methods:
        raise Refused("invalid_client_metadata", "/token_endpoint_auth_method: not one of the profile of the app.")
    if profile.has_secret:
        about |= {"client_secret": await new_secret_of(connection, app, now), "client_secret_expires_at": 0}
    await wiring.journal.write(
        connection,
        CatalogueEvent(
            EventName.CLIENT_REGISTERED,
            None,
            "vendor",
            registrar.person_id,
            registrar.person_name,
            f"app/{app.id}",
            details={"app": app.name, "method": str(about[METHOD])},
        ),
    )
    return {
        "client_id": app.client_id,
        "client_id_issued_at": int(app.created_at.timestamp()),
        "client_name": app.name,
        "redirect_uris": list(app.redirect_uris),
        "grant_types": sorted(GRANT_TYPES),
        "response_types": sorted(RESPONSE_TYPES),
        "scope": str(app.scopes),
        **about,
    }


def _check(app: App, metadata: dict[str, Any]) -> None:
    """What may be said, and has to be what is so already. Other metadata is ignored (RFC 7591 §2)."""
    uris = metadata.get("redirect_uris", [])
    if not _texts(uris) or not set(uris) <= set(app.redirect_uris):
        raise Refused("invalid_redirect_uri", "The redirect_uris are not those of the application.")
    for name, allowed in (("grant_types", GRANT_TYPES), ("response_types", RESPONSE_TYPES)):
        values = metadata.get(name, [])
        if not _texts(values) or not set(values) <= allowed:
            raise Refused("invalid_client_metadata", f"The {name} are not those that are offered.")


def _texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _credentials(app: App, metadata: dict[str, Any]) -> Credentials:
    try:
        return credentials_from(metadata, PROFILES[app.profile])
    except Unacceptable as unacceptable:
        faults = " ".join(f"{fault.pointer}: {fault.message}" for fault in unacceptable.faults)
        raise Refused("invalid_client_metadata", faults) from None
