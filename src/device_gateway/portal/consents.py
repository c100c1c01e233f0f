"""``/apps/…``: until when an app may go on, what changed in it, and every consent that was ever given."""

import json
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app_catalog import (
    CatalogueEvent,
    Change,
    ConnectedApp,
    GivenConsent,
    NoSuchEnd,
    Unanswerable,
    WordsChanged,
    agree_to_purpose,
    answer_question,
    changes,
    choose_end,
    chosen_end,
    compared,
    consents_as_fhir,
    consents_given,
    ends_offered,
    last_day,
    wording,
)
from app_catalog import EventName as AppEvent
from device_gateway.accounts import Account
from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_token
from device_gateway.database.scoping import space_scope
from device_gateway.errors import NotFound
from device_gateway.portal.apps import connected_app
from device_gateway.portal.patient import Patient, space_of
from device_gateway.portal.translations import marked as _
from device_gateway.state import pages_of, pool_of, wiring_of

CLOSED = {
    "withdrawn": _("You took it back on %(day)s."),
    "disconnected": _("It ended on %(day)s, when you disconnected the app."),
    "changed": _("You chose another end on %(day)s."),
    "replaced": _("On %(day)s you answered for a newer text."),
    "ended": _("It ended on %(day)s, the day that you had chosen."),
    "removed": _("It ended on %(day)s, when the app left the catalogue."),
}
AGREE = "agree-"  # and the key of a purpose
WRONG_END = _("Choose until when, or give a day between tomorrow and a year from now.")
REQUIRED = _("The app cannot work without the purposes it says are required: tick them, or disconnect it.")
CHANGED = _("The app has changed again while you were reading: this is what it says now.")

router = APIRouter(prefix="/apps", include_in_schema=False)


@router.get("/consents.json")
async def export(request: Request, account: Patient, app: UUID | None = None) -> Response:
    """All of them as FHIR R4, or those for one app."""
    wiring, space = wiring_of(request), space_of(account)
    async with pool_of(request).connection() as connection:
        given = await consents_given(connection, space, app)
        event = CatalogueEvent(
            AppEvent.CONSENTS_EXPORTED, space, account.kind, account.id, account.display_name,
            f"app/{app}" if app else "apps", count=len(given), details={"app": _name(given)} if app else {},
        )  # fmt: skip
        async with space_scope(connection, space):
            await wiring.journal.write(connection, event)
    bundle = consents_as_fhir(given, space, issuer=wiring.issuer, now=wiring.clock())
    headers = {"Content-Disposition": 'attachment; filename="consents.json"', "Cache-Control": "no-store"}
    return Response(json.dumps(bundle, ensure_ascii=False, indent=1), headers=headers, media_type="application/json")


@router.get("/{app}/history")
async def history(request: Request, account: Patient, app: UUID) -> Response:
    async with pool_of(request).connection() as connection:
        given = await consents_given(connection, space_of(account), app)
    if not given:
        raise NotFound
    now = wiring_of(request).clock()
    context = {
        "app_id": app,
        "name": _name(given),
        "given": [
            {"one": one, "last_day": last_day(one.ends_at, account.zone), "open": one.is_open(now)} for one in given
        ],
        "closed": CLOSED,
    }
    return pages_of(request).render(request, "app_history.html", context)


@router.get("/{app}/end")
async def end_page(request: Request, account: Patient, app: UUID) -> Response:
    return _end_page(request, account, await connected_app(request, account, app), {})


@router.post("/{app}/end")
async def end(request: Request, account: Patient, app: UUID) -> Response:
    """Fields `ends` and `ends_on`, as on the consent page."""
    form = await read_form(request)
    check_token(form, account)
    connected, wiring = await connected_app(request, account, app), wiring_of(request)
    now = wiring.clock()
    try:
        ends_at = chosen_end(
            form.get("ends", ""), form.get("ends_on", ""), zone=account.zone, now=now, kept=connected.ends_at
        )
    except NoSuchEnd:
        return _end_page(request, account, connected, form, 422)
    async with pool_of(request).connection() as connection:
        await choose_end(connection, space_of(account), app, ends_at, person=account, journal=wiring.journal, now=now)
    return RedirectResponse("/apps?done=end", 303)


@router.get("/{app}/agree")
async def agree_page(request: Request, account: Patient, app: UUID, purpose: str) -> Response:
    """What the patient would agree to, word for word as it is kept."""
    connected = await connected_app(request, account, app)
    offered = next((one for one in connected.offered if one.key == purpose), None)
    if offered is None:
        raise NotFound
    data_plane, language = wiring_of(request).data_plane, pages_of(request).words(request).language
    context = {
        "connected": connected,
        "key": purpose,
        "shown": wording(connected.app, offered, language, data_plane),
        "same_as": offered.same_as,
    }
    return pages_of(request).render(request, "app_agree.html", context)


@router.post("/{app}/agree")
async def agree(request: Request, account: Patient, app: UUID) -> Response:
    """Fields `purpose`: its key; `words`: which words of it the page has shown."""
    form = await read_form(request)
    check_token(form, account)
    connected, wiring, key = await connected_app(request, account, app), wiring_of(request), form.get("purpose", "")
    if key not in {one.key for one in connected.offered}:
        raise NotFound
    try:
        async with pool_of(request).connection() as connection:
            await agree_to_purpose(
                connection, space_of(account), app, key, _words(form.get("words")), person=account,
                journal=wiring.journal, data_plane=wiring.data_plane, now=wiring.clock(),
            )  # fmt: skip
    except WordsChanged:
        return RedirectResponse(f"/apps/{app}/agree?purpose={quote(key)}", 303)  # to be read as it is now
    return RedirectResponse("/apps?done=agreed", 303)


@router.get("/{app}/version")
async def version_page(request: Request, account: Patient, app: UUID) -> Response:
    """What changed, word by word. Ticked is what goes on unchanged."""
    return await _version_page(request, account, app)


@router.post("/{app}/version")
async def version(request: Request, account: Patient, app: UUID) -> Response:
    """A field `agree-` with its key for each purpose agreed to, which says what words of it the page has shown; `ends`
    and `ends_on` as on the consent page."""
    form = await read_form(request)
    check_token(form, account)
    connected, wiring = await connected_app(request, account, app), wiring_of(request)
    read = {name.removeprefix(AGREE): _words(words) for name, words in form.items() if name.startswith(AGREE)}
    ticked = frozenset(read)
    now = wiring.clock()
    if not ticked:
        return RedirectResponse(f"/apps/{app}/disconnect?last=yes", 303)
    try:
        ends_at = chosen_end(
            form.get("ends", ""), form.get("ends_on", ""), zone=account.zone, now=now, kept=connected.ends_at
        )
        async with pool_of(request).connection() as connection:
            await answer_question(
                connection, space_of(account), app, read, ends_at=ends_at, person=account, journal=wiring.journal,
                data_plane=wiring.data_plane, now=now,
            )  # fmt: skip
    except NoSuchEnd:
        return await _version_page(request, account, app, sent=form, ticked=ticked, fault=WRONG_END)
    except Unanswerable:
        return await _version_page(request, account, app, sent=form, ticked=ticked, fault=REQUIRED)
    except WordsChanged:
        return await _version_page(request, account, app, sent=form, fault=CHANGED)
    return RedirectResponse("/apps?done=answered", 303)


def _words(text: str | None) -> UUID:
    """What a form says that it has shown. Raises NotFound for what no page of ours has written."""
    try:
        return UUID(text or "")
    except ValueError:
        raise NotFound from None


def _name(given: list[GivenConsent]) -> str:
    """What the app was called when it was last agreed to."""
    return str(given[0].shown["app"]) if given else ""


def _end_page(
    request: Request, account: Account, connected: ConnectedApp, sent: dict[str, str], status: int = 200
) -> Response:
    if connected.ends_at is None:
        raise NotFound
    now = wiring_of(request).clock()
    context = {
        "connected": connected,
        "ends": ends_offered(sent, zone=account.zone, now=now, kept=connected.ends_at),
        "fault": WRONG_END if status != 200 else None,
    }
    return pages_of(request).render(request, "app_end.html", context, status)


async def _version_page(
    request: Request,
    account: Account,
    app: UUID,
    *,
    sent: dict[str, str] | None = None,
    ticked: frozenset[str] | None = None,
    fault: str | None = None,
) -> Response:
    pages, wiring, space = pages_of(request), wiring_of(request), space_of(account)
    connected = await connected_app(request, account, app)
    if connected.question is None:
        raise NotFound
    async with pool_of(request).connection() as connection, space_scope(connection, space):
        found = await changes(connection, connected.question, connected.app)
    now, language = wiring.clock(), pages.words(request).language
    context = {
        "connected": connected,
        "limit": last_day(connected.question.limit_at, account.zone),
        "changed": any(change.kind != "same" for change in found) or connected.question.reason == "version",
        "stopped": connected.question.limit_at <= now,
        "changes": [
            {
                "change": change,
                "words": compared(change, language, wiring.data_plane),
                "ticked": _ticked(change, ticked),
            }
            for change in found
        ],
        "ends": ends_offered(sent or {}, zone=account.zone, now=now, kept=connected.ends_at),
        "fault": fault,
    }
    return pages.render(request, "app_version.html", context, 422 if fault else 200)


def _ticked(change: Change, sent: frozenset[str] | None) -> bool:
    if change.purpose is None:
        return False
    return change.kind == "same" and change.agreed if sent is None else change.purpose.key in sent
