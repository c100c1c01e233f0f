"""Joining the circle of a pre-series by its vendor's link, and a vendor's making and ending of such links."""

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import app_by_id
from app_catalog.catalogue.circle import end_invitation, invitations_of, invite, invited_app, is_in_circle, join
from app_catalog.consents.wording import language_of
from app_catalog.errors import Unknown
from app_catalog.oauth.browser import guarded
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.space import space
from app_catalog.wiring import Wiring

PATH = "/catalogue/invitations/{secret}"


async def invitation(wiring: Wiring, request: Request) -> Response:
    """What a link leads to: the app in a few words, and the offer to join."""
    person = await signed_in(wiring, request, "patient")
    secret = request.path_params["secret"]
    async with wiring.pool.connection() as connection:
        if request.method == "POST":
            await posted(request, person)
            app_id = await join(connection, secret, person=person, journal=wiring.journal, now=wiring.clock())
            return see_other(f"/catalogue/apps/{app_id}")
        app, has_place = await invited_app(connection, secret, wiring.clock())
        if person.subject is not None:
            async with space(connection, person.subject):
                if await is_in_circle(connection, app.id, person.subject):
                    return see_other(f"/catalogue/apps/{app.id}")
    context = {
        "app": app,
        "description": app.description[language_of(wiring.language(request))],
        "has_place": has_place,
        "csrf_token": person.csrf_token,
    }
    return guarded(wiring.render(request, "app_catalog/invitation.html", context))


async def new_invitation(wiring: Wiring, request: Request) -> Response:
    """The one page on which a link is ever seen."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    app_id, places = id_in_path(request, "app_id"), fields.text("places")
    async with wiring.pool.connection() as connection:
        app = await app_by_id(connection, app_id)
        if app is None:
            raise Unknown
        secret = await invite(
            connection,
            app_id,
            label=fields.text("label"),
            places=int(places) if places.isascii() and places.isdecimal() and len(places) < 4 else 0,
            person=person,
            journal=wiring.journal,
            now=wiring.clock(),
        )
        made = (await invitations_of(connection, app_id))[0]
    context = {"app": app, "made": made, "link": wiring.issuer + PATH.format(secret=secret)}
    return guarded(wiring.render(request, "app_catalog/invitation_made.html", context))


async def close_invitation(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    await posted(request, person)
    app_id = id_in_path(request, "app_id")
    async with wiring.pool.connection() as connection:
        await end_invitation(
            connection, app_id, request.path_params["name"], person=person, journal=wiring.journal, now=wiring.clock()
        )
    return see_other(f"/catalogue/vendor/apps/{app_id}/life")
