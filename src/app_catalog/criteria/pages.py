"""The criteria, for everybody to read, as a page and as JSON; and an operator's pages, where the next set is made."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app_catalog.consents.wording import language_of
from app_catalog.criteria.criterion import (
    AREAS,
    CriteriaSet,
    Criterion,
    current_set,
    drafted_set,
    published_sets,
    set_of_version,
)
from app_catalog.criteria.editing import (
    EDITORS,
    TEXTS,
    begin_set,
    changed_codes,
    publish_set,
    remove_criterion,
    save_criterion,
)
from app_catalog.errors import BadForm, Fault, Unacceptable, Unknown
from app_catalog.form import Fields
from app_catalog.page import posted, see_other, signed_in
from app_catalog.wiring import Connection, Person, Wiring

NEW = "new"  # in the place of a code, on the page of a criterion that is not in the set yet
DRAFT = "/catalogue/criteria/draft"


async def criteria(wiring: Wiring, request: Request) -> Response:
    """The set in use, or another published one by ``version``."""
    person = await wiring.signed_in(request)
    async with wiring.pool.connection() as connection:
        shown = await _asked_for(connection, request)
        sets = await published_sets(connection)
    context = {
        "shown": shown,
        "sets": sets,
        "areas": AREAS,
        "shown_in": language_of(wiring.language(request)),
        "edits": person is not None and person.kind in EDITORS,
        "changes": {},
    }
    return wiring.render(request, "app_catalog/criteria.html", context)


async def criteria_json(wiring: Wiring, request: Request) -> Response:
    """``GET /api/catalogue/criteria``: the same, for programs."""
    async with wiring.pool.connection() as connection:
        try:
            shown = await _asked_for(connection, request)
        except Unknown as error:
            return JSONResponse({"error": "not_found", "message": error.message}, error.http_status)
    return JSONResponse(as_json(shown))


async def draft(wiring: Wiring, request: Request) -> Response:
    """The set that is being prepared. ``action``: ``begin`` or ``publish``."""
    person = await signed_in(wiring, request, *EDITORS)
    if request.method == "GET":
        return await _draft_page(wiring, request, person)
    fields = await posted(request, person)
    async with wiring.pool.connection() as connection:
        match fields.get("action"):
            case "begin":
                await begin_set(connection, person=person, now=wiring.clock())
            case "publish":
                version = fields.text("version")
                try:
                    await publish_set(
                        connection, int(version) if version.isdecimal() and len(version) < 6 else 0,
                        note=fields.text("note"), person=person, journal=wiring.journal, now=wiring.clock(),
                    )  # fmt: skip
                except Unacceptable as unacceptable:
                    return await _draft_page(wiring, request, person, unacceptable.faults)
                return see_other("/catalogue/criteria")
            case _:
                raise BadForm
    return see_other(DRAFT)


async def criterion(wiring: Wiring, request: Request) -> Response:
    """One criterion of the draft; a POST saves it, or takes it out with ``remove``."""
    person = await signed_in(wiring, request, *EDITORS)
    code = request.path_params["code"]
    former = None if code == NEW else code
    async with wiring.pool.connection() as connection:
        drafted = await drafted_set(connection)
        if drafted is None or (former is not None and former not in drafted.by_code):
            raise Unknown
        if request.method == "GET":
            typed = _typed(drafted.by_code[former]) if former else {"mandatory": "yes"}
            return _criterion_page(wiring, request, person, code=code, typed=typed)
        fields = await posted(request, person)
        if fields.get("remove") and former:
            await remove_criterion(connection, former, person=person)
            return see_other(DRAFT)
        try:
            await save_criterion(connection, former, _criterion(fields), person=person)
        except Unacceptable as unacceptable:
            return _criterion_page(
                wiring, request, person, code=code, typed=dict(fields.first), faults=unacceptable.faults
            )
    return see_other(DRAFT)


def as_json(shown: CriteriaSet) -> dict[str, Any]:
    """A published set as everybody may know it."""
    return {
        "version": shown.version,
        "note": shown.note,
        "published_at": shown.published_at.isoformat() if shown.published_at else None,
        "criteria": [
            {
                "code": one.code,
                "area": one.area,
                "mandatory": one.mandatory,
                "exchange_only": one.exchange_only,
                "text": dict(one.text),
                "help": dict(one.help),
                "evidence": dict(one.evidence),
                "source": one.source,
            }
            for one in shown.criteria
        ],
    }


async def _asked_for(connection: Connection, request: Request) -> CriteriaSet:
    """Raises Unknown for a version that is not published."""
    version = request.query_params.get("version")
    if version is None:
        return await current_set(connection)
    found = await set_of_version(connection, int(version)) if version.isdecimal() and len(version) < 6 else None
    if found is None or found.published_at is None:
        raise Unknown
    return found


async def _draft_page(
    wiring: Wiring, request: Request, person: Person, faults: tuple[Fault, ...] = ()
) -> Response:  # fmt: skip
    async with wiring.pool.connection() as connection:
        drafted, former = await drafted_set(connection), await current_set(connection)
    context = {
        "shown": drafted,
        "former": former,
        "changes": changed_codes(former, drafted) if drafted else {},
        "areas": AREAS,
        "shown_in": language_of(wiring.language(request)),
        "faults": faults,
        "csrf_token": person.csrf_token,
    }
    response = wiring.render(request, "app_catalog/criteria_draft.html", context)
    if faults:
        response.status_code = Unacceptable.http_status
    return response


def _criterion_page(
    wiring: Wiring,
    request: Request,
    person: Person,
    *,
    code: str,
    typed: dict[str, str],
    faults: tuple[Fault, ...] = (),
) -> Response:
    context = {
        "code": code,
        "is_new": code == NEW,
        "typed": typed,
        "texts": TEXTS,
        "areas": AREAS,
        "problems": {fault.pointer.removeprefix("/"): fault.message for fault in faults},
        "csrf_token": person.csrf_token,
    }
    response = wiring.render(request, "app_catalog/criterion.html", context)
    if faults:
        response.status_code = Unacceptable.http_status
    return response


def _criterion(fields: Fields) -> Criterion:
    def texts(name: str) -> dict[str, str]:
        return {one: fields.text(f"{name}_{one}").replace("\r\n", "\n") for one in ("fr", "en")}

    return Criterion(
        code=fields.text("code").strip(),
        area=fields.text("area"),
        mandatory=fields.get("mandatory") is not None,
        exchange_only=fields.get("exchange_only") is not None,
        text=texts("text"),
        help=texts("help"),
        evidence=texts("evidence"),
        source=fields.text("source"),
    )


def _typed(one: Criterion) -> dict[str, str]:
    texts = {f"{name}_{language}": said[language]
             for name, said in (("text", one.text), ("help", one.help), ("evidence", one.evidence))
             for language in ("fr", "en")}  # fmt: skip
    return texts | {
        "code": one.code,
        "area": one.area,
        "mandatory": "yes" if one.mandatory else "",
        "exchange_only": "yes" if one.exchange_only else "",
        "source": one.source,
    }
