"""The pages on which a vendor fills in a draft, section by section, over days. Saving refuses nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.applications.application import MAX_PURPOSES
from app_catalog.applications.draft import Draft, draft_of, keep, seen
from app_catalog.applications.labels import LABELS
from app_catalog.applications.progress import Progress, progress_of
from app_catalog.applications.published import DEVICE_CLASSES, ECONOMIC_MODELS, LINKS, NEEDED_LINKS, REGIONS, THEMES
from app_catalog.applications.typed import (
    CLIENT_TEXTS,
    IDENTITY_LISTS,
    IDENTITY_TEXTS,
    PURPOSE_LISTS,
    PURPOSE_TEXTS,
    Section,
    Typed,
    new_purpose,
    section_from,
)
from app_catalog.consents.wording import language_of
from app_catalog.criteria.answers import ANSWERS
from app_catalog.criteria.criterion import AREAS
from app_catalog.errors import Unknown, WrongState
from app_catalog.form import Fields
from app_catalog.oauth.algorithms import ALGORITHMS
from app_catalog.oauth.profiles import PROFILES
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.wiring import Person, Wiring

CRITERIA_FORM_BYTES = 512 * 1024  # an area of criteria, each explained at length
SAVED_MEANWHILE = 409  # somebody else saved the same section since it was shown


async def identity(wiring: Wiring, request: Request) -> Response:
    context = {
        "links": LINKS,
        "needed_links": NEEDED_LINKS,
        "economic_models": ECONOMIC_MODELS,
        "regions": REGIONS,
        "themes": THEMES,
        "device_classes": {name: name for name in DEVICE_CLASSES},
    }

    def read(fields: Fields) -> Section:
        return section_from(fields, IDENTITY_TEXTS, IDENTITY_LISTS) | {"saved": "yes"}

    return await _section(wiring, request, "identity", read, context)


async def client(wiring: Wiring, request: Request) -> Response:
    context = {
        "profiles": {name: name for name in sorted(PROFILES)},
        "algorithms": {name: name for name in ALGORITHMS},
    }
    return await _section(wiring, request, "client", lambda fields: section_from(fields, CLIENT_TEXTS), context)


async def purposes(wiring: Wiring, request: Request) -> Response:
    """The list; a POST with ``add`` begins another one, with ``up`` moves one before its neighbour."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person) if request.method == "POST" else None
    async with wiring.pool.connection() as connection, connection.transaction():
        draft = await draft_of(connection, id_in_path(request, "application_id"), person)
        listed: list[Section] = list(draft.typed.get("purposes", ()))
        if fields is None:
            progress = await progress_of(connection, draft, wiring.choices)
            return _page(wiring, request, person, progress, path="purposes", context={"listed": listed})
        if name := fields.get("up"):
            place = _place_of(listed, name)
            if place > 0:
                listed[place - 1 : place + 1] = reversed(listed[place - 1 : place + 1])
            path = "purposes"
        else:
            if len(listed) >= MAX_PURPOSES:
                raise WrongState("An app has between 1 and 20 purposes.")
            listed.append(new_purpose())
            path = f"purposes/{listed[-1]['id']}"
        await keep(connection, draft.id, {**draft.typed, "purposes": listed}, wiring.clock())
    return see_other(_path(draft, path))


async def purpose(wiring: Wiring, request: Request) -> Response:
    """One purpose; a POST saves it, or takes it away with ``remove``."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person) if request.method == "POST" else None
    name = request.path_params["purpose"]
    async with wiring.pool.connection() as connection, connection.transaction():
        draft = await draft_of(connection, id_in_path(request, "application_id"), person)
        listed: list[Section] = list(draft.typed.get("purposes", ()))
        place = _place_of(listed, name)
        path = f"purposes/{name}"
        if fields is None:
            progress = await progress_of(connection, draft, wiring.choices)
            return _page(wiring, request, person, progress, path=path, context=_purpose(wiring, request, listed[place]))
        if fields.get("remove"):
            del listed[place]
        else:
            typed = {"id": name, **section_from(fields, PURPOSE_TEXTS, PURPOSE_LISTS)}
            if fields.text("seen") != seen(listed[place]):
                progress = await progress_of(connection, draft, wiring.choices)
                context = _purpose(wiring, request, typed) | {"seen": seen(listed[place]), "meanwhile": True}
                return _page(wiring, request, person, progress, path=path, context=context)
            listed[place] = typed
        await keep(connection, draft.id, {**draft.typed, "purposes": listed}, wiring.clock())
    return see_other(_path(draft, "purposes" if fields.get("remove") else path) + "?saved")


async def criteria(wiring: Wiring, request: Request) -> Response:
    """The criteria of one area, with the answers."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person, CRITERIA_FORM_BYTES) if request.method == "POST" else None
    area = request.path_params["area"]
    if area not in AREAS:
        raise Unknown
    path = f"criteria/{area}"
    async with wiring.pool.connection() as connection, connection.transaction():
        draft = await draft_of(connection, id_in_path(request, "application_id"), person)
        progress = await progress_of(connection, draft, wiring.choices)
        asked = progress.criteria.asked(exchanges_data=progress.application.exchanges_data)
        codes = [one.code for one in asked if one.area == area]
        kept: dict[str, Section] = dict(draft.typed.get("criteria", {}))
        shown = {code: kept.get(code, {}) for code in codes}
        context: dict[str, Any] = {
            "area": AREAS[area],
            "criteria": [one for one in asked if one.area == area],
            "answers": ANSWERS,
            "documents": progress.documents,
            "shown_in": language_of(wiring.language(request)),
        }
        if fields is None:
            return _page(
                wiring, request, person, progress, path=path, context=context | {"typed": shown, "seen": seen(shown)}
            )
        known = {str(document.id) for document in progress.documents}
        typed = {code: _answer(fields, code, known) for code in codes}
        if fields.text("seen") != seen(shown):
            now = {"typed": typed, "seen": seen(shown), "meanwhile": True}
            return _page(wiring, request, person, progress, path=path, context=context | now)
        await keep(connection, draft.id, {**draft.typed, "criteria": kept | typed}, wiring.clock())
    return see_other(_path(draft, path) + "?saved")


async def _section(wiring: Wiring, request: Request, name: str, read: Any, context: Mapping[str, Any]) -> Response:
    """A section that is one form: `read` makes of the fields what is kept."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person) if request.method == "POST" else None
    async with wiring.pool.connection() as connection, connection.transaction():
        draft = await draft_of(connection, id_in_path(request, "application_id"), person)
        former = draft.typed.get(name, {})
        if fields is None or fields.text("seen") != seen(former):
            typed = former if fields is None else read(fields)
            progress = await progress_of(connection, draft, wiring.choices)
            shown = {**context, "typed": typed, "seen": seen(former), "meanwhile": fields is not None}
            return _page(wiring, request, person, progress, path=name, context=shown)
        await keep(connection, draft.id, {**draft.typed, name: read(fields)}, wiring.clock())
    return see_other(_path(draft, name) + "?saved")


def _page(
    wiring: Wiring, request: Request, person: Person, progress: Progress, *, path: str, context: Mapping[str, Any]
) -> Response:
    """A section of the form. What is missing is said once the section was saved for the first time."""
    begun = next((one.begun for one in progress.sections if path == one.path), True)
    values = {
        "draft": progress.draft,
        "sections": progress.sections,
        "section": path,
        "labels": LABELS,
        "problems": progress.problems(path) if begun else {},
        "saved": request.method == "GET" and "saved" in request.query_params,
        "meanwhile": False,
        "csrf_token": person.csrf_token,
        **context,
    }
    template = path.split("/", maxsplit=1)[0] if not path.startswith("purposes/") else "purpose"
    response = wiring.render(request, f"app_catalog/draft/{template}.html", values)
    if values["meanwhile"]:
        response.status_code = SAVED_MEANWHILE
    return response


def _purpose(wiring: Wiring, request: Request, typed: Section) -> dict[str, Any]:
    return {
        "typed": typed,
        "seen": seen(typed),
        "choices": wiring.choices,
        "shown_in": language_of(wiring.language(request)),
    }


def _answer(fields: Fields, code: str, documents: set[str]) -> Section:
    document = fields.text(f"{code}-document")
    return {
        "answer": fields.text(f"{code}-answer"),
        "explanation": fields.text(f"{code}-explanation").replace("\r\n", "\n"),
        "document": document if document in documents else "",
    }


def _place_of(listed: Sequence[Typed], name: str) -> int:
    place = next((place for place, one in enumerate(listed) if one["id"] == name), None)
    if place is None:
        raise Unknown
    return place


def _path(draft: Draft, path: str) -> str:
    return f"/catalogue/vendor/applications/{draft.id}/{path}"
