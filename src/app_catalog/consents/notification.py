"""A vendor's page: where its app wants to be told that access ended, and what came of telling it."""

from datetime import datetime
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.applications.redirect_uri import fault_of
from app_catalog.catalogue.apps import App
from app_catalog.clients.registration import app_of_vendor
from app_catalog.consents.notices import latest_notices
from app_catalog.errors import Fault, Unacceptable, WrongState
from app_catalog.events import EventName
from app_catalog.oauth.browser import guarded
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.vendors.role import WRITERS, role_of
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Person, Wiring
from app_catalog.words import marked

SHOWN: Final = 50  # notices
MAX_URL: Final = 500  # characters
SET: Final = """UPDATE catalogue.app SET notification_url = %s, notification_set_at = %s, notification_gone_at = NULL
  WHERE id = %s"""
STATE: Final = "SELECT notification_url, notification_set_at, notification_gone_at FROM catalogue.app WHERE id = %s"

NO_KEYS: Final = marked("Notices are signed, and this installation has no key to sign with.")
WRONG_URL: Final = marked("Give an https address without user name or fragment.")


async def notification(wiring: Wiring, request: Request) -> Response:
    """The address; a POST sets it, or takes it away where it is empty. The field is `url`."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person) if request.method == "POST" else None
    app_id = id_in_path(request, "app_id")
    async with wiring.pool.connection() as connection, connection.transaction():
        if fields is None:
            return await _page(wiring, request, connection, await app_of_vendor(connection, app_id, person), person)
        app = await app_of_vendor(connection, app_id, person, *WRITERS)
        if wiring.master_key is None:
            raise WrongState(NO_KEYS)
        try:
            url = fields.text("url").strip() or None
            await set_notification_url(connection, app, url, person=person, journal=wiring.journal, now=wiring.clock())
        except Unacceptable as unacceptable:
            response = await _page(wiring, request, connection, app, person, typed=url, faults=unacceptable.faults)
            response.status_code = Unacceptable.http_status
            return response
    return see_other(f"/catalogue/vendor/apps/{app_id}/notification")


async def set_notification_url(
    connection: Connection, app: App, url: str | None, *, person: Person, journal: Journal, now: datetime
) -> None:
    """Tell the vendor of `app` under `url` from now on, or nowhere. Raises Unacceptable."""
    if url is not None and (not url.startswith("https://") or len(url) > MAX_URL or fault_of(url)):
        raise Unacceptable(Fault("/url", WRONG_URL))
    await connection.execute(SET, (url, now, app.id))
    event = CatalogueEvent(
        EventName.NOTIFICATION_SET, None, person.kind, person.id, person.display_name, f"app/{app.id}",
        details={"app": app.name, "url": url or ""},
    )  # fmt: skip
    await journal.write(connection, event)


async def _page(
    wiring: Wiring,
    request: Request,
    connection: Connection,
    app: App,
    person: Person,
    *,
    typed: str | None = None,
    faults: tuple[Fault, ...] = (),
) -> Response:
    state = await (await connection.execute(STATE, (app.id,))).fetchone()
    context = {
        "app": app,
        "url": typed or (state.notification_url if state else None) or "",
        "gone_at": state.notification_gone_at if state else None,
        "faults": faults,
        "may_write": await _may_write(connection, app.vendor_id, person.id) and wiring.master_key is not None,
        "notices": await latest_notices(connection, app.id, SHOWN),
        "csrf_token": person.csrf_token,
    }
    return guarded(wiring.render(request, "app_catalog/notification.html", context))


async def _may_write(connection: Connection, vendor_id: UUID, person_id: UUID) -> bool:
    return await role_of(connection, vendor_id, person_id) in WRITERS
