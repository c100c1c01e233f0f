"""The public catalogue: the list of apps, and a page per app that says in plain words what it reads and writes."""

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import App, app_by_id, apps_by_status
from app_catalog.catalogue.status import EFFECTS, Status
from app_catalog.consents.wording import language_of, wording
from app_catalog.errors import Unknown
from app_catalog.page import id_in_path
from app_catalog.wiring import Wiring

LISTED = tuple(status for status, effect in EFFECTS.items() if effect.listed)
SHOWN = frozenset(EFFECTS) - {Status.CANDIDATE}  # whoever was connected finds the page, whatever became of the app


async def listing(wiring: Wiring, request: Request) -> Response:
    language = language_of(wiring.language(request))
    async with wiring.pool.connection() as connection:
        apps = await apps_by_status(connection, LISTED)
    listed = [{"app": app, "description": app.description[language]} for app in apps]
    return wiring.render(request, "app_catalog/catalogue.html", {"apps": listed})


async def app(wiring: Wiring, request: Request) -> Response:
    language = language_of(wiring.language(request))
    found = await shown_app(wiring, request)
    person = await wiring.signed_in(request)
    context = {
        "app": found,
        "description": found.description[language],
        "purposes": [wording(found, purpose, language, wiring.data_plane) for purpose in found.purposes],
        "opens": person is not None and person.subject is not None and found.opens,
    }
    return wiring.render(request, "app_catalog/app.html", context)


async def shown_app(wiring: Wiring, request: Request) -> App:
    """The app in the path, if the public may know it. Raises Unknown."""
    async with wiring.pool.connection() as connection:
        found = await app_by_id(connection, id_in_path(request, "app_id"))
    if found is None or found.status not in SHOWN:
        raise Unknown
    return found
