"""A vendor's page about the client of one app: by what it is known, and how a program may say so."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import App
from app_catalog.catalogue.status import Status
from app_catalog.clients.credentials import BOUND, METHOD, NAMES, credentials_from, jwks_from_text
from app_catalog.clients.registration import app_of_vendor, issue_initial_token, set_credentials
from app_catalog.errors import Fault, Unacceptable
from app_catalog.form import Fields
from app_catalog.oauth.browser import guarded
from app_catalog.oauth.profiles import ASYMMETRIC_METHODS, PROFILES
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.vendors.role import WRITERS, require
from app_catalog.wiring import Person, Wiring


async def client(wiring: Wiring, request: Request) -> Response:
    """The client as it is registered; a POST registers other keys, another URI of keys, or another certificate."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person) if request.method == "POST" else Fields(())
    app_id = id_in_path(request, "app_id")
    async with wiring.pool.connection() as connection, connection.transaction():
        app = await app_of_vendor(connection, app_id, person)
        role = await require(connection, app.vendor_id, person, *(() if request.method == "GET" else WRITERS))
        if request.method == "GET":
            return _page(wiring, request, person, app, fields, is_writer=role in WRITERS)
        try:
            credentials = credentials_from(_metadata(fields), PROFILES[app.profile])
            await set_credentials(
                connection, app_id, credentials, person=person, journal=wiring.journal, now=wiring.clock(),
                mail=wiring.mail,
            )  # fmt: skip
        except Unacceptable as unacceptable:
            return _page(wiring, request, person, app, fields, faults=unacceptable.faults)
    return see_other(f"/catalogue/vendor/apps/{app_id}/client")


async def new_initial_token(wiring: Wiring, request: Request) -> Response:
    """The one page on which an initial access token is ever seen."""
    person = await signed_in(wiring, request, "vendor")
    await posted(request, person)
    app_id = id_in_path(request, "app_id")
    async with wiring.pool.connection() as connection:
        token = await issue_initial_token(connection, app_id, person=person, journal=wiring.journal, now=wiring.clock())
    return guarded(wiring.render(request, "app_catalog/initial_token.html", {"token": token}))


def _metadata(fields: Fields) -> Mapping[str, Any]:
    """The form in the words of RFC 7591. Raises Unacceptable for keys that are no JSON."""
    metadata: dict[str, Any] = {METHOD: fields.text(METHOD), BOUND: fields.get(BOUND) is not None}
    if text := fields.get("jwks"):
        metadata["jwks"] = jwks_from_text(text)
    if uri := fields.get("jwks_uri"):
        metadata["jwks_uri"] = uri.strip()
    if (name := fields.get("name")) and fields.get("name_kind") in NAMES:
        metadata[fields.text("name_kind")] = name
    return metadata


def _page(
    wiring: Wiring,
    request: Request,
    person: Person,
    app: App,
    fields: Fields,
    *,
    faults: Sequence[Fault] = (),
    is_writer: bool = True,
) -> Response:
    profile = PROFILES[app.profile]
    context = {
        "app": app,
        "methods": [method for method in ASYMMETRIC_METHODS if method in profile.auth_methods],
        "name_kinds": NAMES,
        "is_candidate": app.status is Status.CANDIDATE,
        "is_writer": is_writer,
        "has_secret": profile.has_secret,
        "fields": fields.first,
        "faults": faults,
        "csrf_token": person.csrf_token,
    }
    response = guarded(wiring.render(request, "app_catalog/client.html", context))
    if faults:
        response.status_code = Unacceptable.http_status
    return response
