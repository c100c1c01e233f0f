"""The public catalogue: a list to search in, and a page per app that says in plain words what it reads and writes."""

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.applications.published import ECONOMIC_MODELS, LINKS, REGIONS, THEMES
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.catalogue.cached import cached
from app_catalog.catalogue.entry import Entry, entries
from app_catalog.catalogue.history import history_of
from app_catalog.catalogue.reach import may_connect
from app_catalog.catalogue.search import PAGE, filter_from, find
from app_catalog.catalogue.status import EFFECTS, Status
from app_catalog.catalogue.written_day import written_day
from app_catalog.consents.wording import language_of, wording
from app_catalog.documents.logo import MEDIA_TYPE
from app_catalog.errors import BadForm, Unknown
from app_catalog.form import Fields, Malformed, read_query
from app_catalog.page import id_in_path
from app_catalog.sandbox.simulated import apps_of_simulated
from app_catalog.sandbox.tested import is_met, is_simulated
from app_catalog.space import space
from app_catalog.wiring import Connection, Person, Wiring

SHOWN = frozenset(EFFECTS) - {Status.CANDIDATE}  # whoever was connected finds the page, whatever became of the app
LOGO_PATH = "/catalogue/logos/{name}"
LOGO = """SELECT c.bytes FROM catalogue.content c WHERE c.sha256 = %s AND EXISTS (
  SELECT FROM catalogue.app a JOIN catalogue.application v ON v.id = a.application_id WHERE v.logo = c.sha256)"""


async def listing(wiring: Wiring, request: Request) -> Response:
    language = language_of(wiring.language(request))
    person = await wiring.signed_in(request)
    async with wiring.pool.connection() as connection:
        if person is not None and person.subject and await is_simulated(connection, person.subject):
            tried = await apps_of_simulated(connection, person.subject)
            return wiring.render(request, "app_catalog/catalogue_simulated.html", {"apps": tried, "language": language})
    fields = query_of(request)
    wanted = filter_from(fields, wiring.choices)
    async with wiring.pool.connection() as connection:
        found = await find(wiring, connection, wanted)
        listed = await entries(connection, found.ids)
    context = {
        "entries": [{"entry": one, "description": one.app.description[language]} for one in listed],
        "found": found,
        "wanted": wanted,
        "fields": fields.first,
        "first": (found.page - 1) * PAGE + 1,
        "language": language,
        "themes": THEMES,
        "regions": REGIONS,
        "prices": ECONOMIC_MODELS,
        "data": sorted(
            ((choice.key, choice.names[language]) for choice in wiring.choices), key=lambda pair: pair[1].lower()
        ),
    }
    return wiring.render(request, "app_catalog/catalogue.html", context)


async def app(wiring: Wiring, request: Request) -> Response:
    language = language_of(wiring.language(request))
    found = await shown_app(wiring, request)
    person = await wiring.signed_in(request)
    async with wiring.pool.connection() as connection:
        if person is not None and person.subject and not await is_met(connection, found, person.subject):
            raise Unknown
        (entry,) = await entries(connection, [found.id])
        history = await history_of(connection, found.id)
        reached = await _may_connect(connection, found, person)
    context = {
        "app": found,
        "entry": entry,
        "description": found.description[language],
        "purposes": [wording(found, purpose, language, wiring.data_plane) for purpose in found.purposes],
        "history": [{"moment": moment, "day": written_day(moment.at.date(), language)} for moment in history],
        "agreed_until": written_day(entry.agreed_until, language) if entry.agreed_until else None,
        "themes": THEMES,
        "regions": REGIONS,
        "prices": ECONOMIC_MODELS,
        "links": LINKS,
        "opens": reached and found.opens,
        "may_connect": reached,
        "may_report": person is not None and person.subject is not None and found.status is not Status.DEREFERENCED,
    }
    return wiring.render(request, "app_catalog/app.html", context)


async def logo(wiring: Wiring, request: Request) -> Response:
    """The picture of an approved app; its name says what is in it, so that caches keep it."""
    try:
        name = bytes.fromhex(request.path_params["name"])
    except ValueError:
        raise Unknown from None
    async with wiring.pool.connection() as connection:
        row = await (await connection.execute(LOGO, (name,))).fetchone()
    if row is None:
        raise Unknown
    return cached(request, bytes(row.bytes), MEDIA_TYPE, control="public, max-age=31536000, immutable", weak=False)


async def shown_app(wiring: Wiring, request: Request) -> App:
    """The app in the path, if the public may know it. Raises Unknown."""
    async with wiring.pool.connection() as connection:
        found = await app_by_id(connection, id_in_path(request, "app_id"))
    if found is None or found.status not in SHOWN:
        raise Unknown
    return found


async def shown_entry(wiring: Wiring, request: Request) -> Entry:
    """The same with what was published of it."""
    found = await shown_app(wiring, request)
    async with wiring.pool.connection() as connection:
        (entry,) = await entries(connection, [found.id])
    return entry


def query_of(request: Request) -> Fields:
    """Raises BadForm."""
    try:
        return read_query(request)
    except Malformed:
        raise BadForm from None


async def _may_connect(connection: Connection, app: App, person: Person | None) -> bool:
    if person is None or person.subject is None:
        return False
    async with space(connection, person.subject):
        return not await is_simulated(connection, person.subject) and await may_connect(connection, app, person.subject)
