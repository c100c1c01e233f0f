"""Launches from the portal (SMART App Launch 2.2, "EHR launch").

The patient opens an app: a token names this launch. The app hands it back in its authorization request, and it is used
up by the patient's answer. It is good for that app, that patient and a few minutes.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from authlib.common.urls import add_params_to_uri
from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import App
from app_catalog.catalogue.reach import may_connect
from app_catalog.errors import NotAllowed, Unknown
from app_catalog.events import EventName
from app_catalog.oauth import lifetimes
from app_catalog.oauth.browser import see_other
from app_catalog.oauth.failure import Refused
from app_catalog.oauth.secret_text import new_secret, sha256
from app_catalog.page import id_in_path, signed_in
from app_catalog.sandbox.tested import app_for
from app_catalog.space import space
from app_catalog.wiring import CatalogueEvent, Connection, Person, Wiring

PATH: Final = "/catalogue/apps/{app_id}/launch"
ADD: Final = """INSERT INTO catalogue.launch (hash, app_id, subject, person, created_at, expires_at)
  VALUES (%s, %s, %s, %s, %s, %s)"""
OPEN: Final = """SELECT hash FROM catalogue.launch
  WHERE hash = %s AND app_id = %s AND person = %s AND used_at IS NULL AND expires_at > %s"""
USE: Final = "UPDATE catalogue.launch SET used_at = %s WHERE hash = %s AND used_at IS NULL RETURNING hash"


async def launch(wiring: Wiring, request: Request) -> Response:
    """Send the patient to the app, with the `iss` and the `launch` of SMART; who was sent here by another site sees the
    page of the app first: the journal says that the patient opened it."""
    person = await signed_in(wiring, request, "patient")
    if person.subject is None:
        raise NotAllowed
    if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return see_other(f"/catalogue/apps/{id_in_path(request, 'app_id')}")
    async with wiring.pool.connection() as connection:
        app = await app_for(connection, id_in_path(request, "app_id"), person.subject)
        if app is None or app.launch_uri is None or not app.opens:
            raise Unknown
        token = await _begin(wiring, connection, app, person, person.subject)
    return see_other(add_params_to_uri(app.launch_uri, [("iss", wiring.fhir_url), ("launch", token)]))


async def open_launch(connection: Connection, token: str, app: App, person: Person, now: datetime) -> bytes:
    """What the launch `token` is kept under. Inside `space` of the patient. Raises Refused for one that is not good."""
    row = await (await connection.execute(OPEN, (sha256(token), app.id, person.id, now))).fetchone()
    if row is None:
        raise Refused("invalid_request", "The launch is unknown, used or too old: open the app again.")
    return bytes(row.hash)


async def use_launch(connection: Connection, kept_under: bytes, now: datetime) -> bool:
    """Whether this was its first use."""
    return await (await connection.execute(USE, (now, kept_under))).fetchone() is not None


async def _begin(wiring: Wiring, connection: Connection, app: App, person: Person, subject: UUID) -> str:
    token, now = new_secret(), wiring.clock()
    async with space(connection, subject):
        if not await may_connect(connection, app, subject):
            raise Unknown
        values = (sha256(token), app.id, subject, person.id, now, now + lifetimes.LAUNCH)
        await connection.execute(ADD, values)
        await wiring.journal.write(
            connection,
            CatalogueEvent(
                EventName.APP_OPENED, subject, person.kind, person.id, person.display_name, f"app/{app.id}",
                details={"app": app.name},
            ),
        )  # fmt: skip
    return token
