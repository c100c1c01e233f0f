"""``/devices/import``: a history from a file. Upload, look at it, confirm. Complete without JavaScript."""

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import RedirectResponse, Response, StreamingResponse

from device_gateway.accounts import Account
from device_gateway.accounts.forms import BadForm, FormTooLarge, read_form
from device_gateway.accounts.origin import check_token
from device_gateway.imports import uploads
from device_gateway.imports.formats import formats
from device_gateway.imports.uploads import TooManyUploads
from device_gateway.portal.pages import headers
from device_gateway.portal.patient import Patient, space_of
from device_gateway.portal.translations import marked as _
from device_gateway.state import pages_of, pool_of, settings_of

REFRESH_S: Final = 2  # seconds: how often a page that waits looks again
PIECE_BYTES: Final = 1 << 18
MEGABYTE: Final = 1 << 20
FORM_BYTES: Final = 65_536  # room for the fields beside the file
MOST_FIELDS: Final = 10

PROBLEMS: Mapping[str, str] = {
    "UnknownFormat": _(
        "This file has none of the formats that are known here. Choose its format yourself under “Import a file”, or"
        " export it again."
    ),
    "ZoneConflict": _("Times of this device were read in another time zone before. Leave the time zone as it is."),
    "ImportFailed": _("This file could not be imported. What was imported before that stays."),
}
ANOTHER_PROBLEM = _("This file could not be imported.")
# Why a record was rejected, by the first part of what it points to.
REASONS: Mapping[str, str] = {
    "at": _("its date or time is missing, cannot be read, or is not possible"),
    "value": _("it has no value, or none that is possible: out of the sensor's range, for instance"),
    "sgv": _("the sensor gave an error and no value"),
    "metric": _("what it measured is not known here"),
    "unit": _("its unit is not known here"),
    "units": _("its unit is not known here"),
}
ANOTHER_REASON = _("it could not be read")
NO_FILE = _("Choose a file first.")
NO_ZONE = _("Choose a time zone from the list.")
FULL = _("Other files of yours wait to be imported: import or discard them first.")

router = APIRouter(prefix="/devices/import", include_in_schema=False)


@router.get("")
async def choose(request: Request, account: Patient) -> Response:
    return await _form(request, account)


@router.post("")
async def uploaded(request: Request, account: Patient) -> Response:
    limit = settings_of(request).import_max_mb
    try:
        form = await MultiPartParser(
            request.headers, _limited(request, limit * MEGABYTE + FORM_BYTES), max_files=1, max_fields=MOST_FIELDS
        ).parse()
    except (MultiPartException, KeyError) as error:
        raise BadForm from error
    try:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        check_token(fields, account)
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            return await _form(request, account, NO_FILE)
        zone, kind = fields.get("zone", ""), fields.get("format", "")
        if zone and zone not in available_timezones():
            return await _form(request, account, NO_ZONE)
        async with pool_of(request).connection() as connection:
            upload = await uploads.keep(
                connection, space_of(account), account.actor, file.filename, _pieces(file),
                format_key=kind if kind in formats() else None, zone=zone or None,
            )  # fmt: skip
    except TooManyUploads:
        return await _form(request, account, FULL)
    finally:
        await form.close()
    return RedirectResponse(f"/devices/import/{upload}", 303)


@router.get("/{upload}")
async def shown(request: Request, account: Patient, upload: UUID) -> Response:
    return await _page(request, account, upload, "import.html")


@router.get("/{upload}/state")
async def state(request: Request, account: Patient, upload: UUID) -> Response:
    """The part of the page that changes, for an open page that asks."""
    return await _page(request, account, upload, "import_state.html")


@router.post("/{upload}")
async def answered(request: Request, account: Patient, upload: UUID) -> Response:
    form = await read_form(request)
    check_token(form, account)
    space = space_of(account)
    async with pool_of(request).connection() as connection:
        await uploads.look(connection, space, upload)
        if form.get("decision") == "import":
            await uploads.confirm(connection, space, upload)
        elif form.get("decision") == "discard":
            await uploads.discard(connection, space, upload)
            return RedirectResponse("/devices/import", 303)
    return RedirectResponse(f"/devices/import/{upload}", 303)


@router.get("/{upload}/rejected.csv")
async def rejected(request: Request, account: Patient, upload: UUID) -> Response:
    """Where, why and what: the records as they stood, so that nothing of the file is lost."""
    space = space_of(account)
    async with pool_of(request).connection() as connection:
        found = await uploads.look(connection, space, upload)
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in found.file_name)[:60]
    return StreamingResponse(
        _table(request, space, upload),
        media_type="text/csv; charset=utf-8",
        headers=headers() | {"Content-Disposition": f'attachment; filename="rejected-{name}.csv"'},
    )


async def _table(request: Request, space: UUID, upload: UUID) -> AsyncIterator[str]:
    yield "number,where,reason,record\n"
    after = -1
    while True:
        async with pool_of(request).connection() as connection:
            records = await uploads.rejected(connection, space, upload, after, 1000)
        if not records:
            return
        text = io.StringIO()
        csv.writer(text).writerows((one.number, one.pointer, one.reason, one.text) for one in records)
        yield text.getvalue()
        after = records[-1].number


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise FormTooLarge
        yield chunk


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE_BYTES):
        yield piece


async def _form(request: Request, account: Account, problem: str | None = None) -> Response:
    async with pool_of(request).connection() as connection:
        listed = await uploads.listed(connection, space_of(account))
    words = pages_of(request).words(request)
    context = {
        "listed": listed,
        "formats": list(formats().values()),
        "zones": sorted(available_timezones()),
        "max_mb": settings_of(request).import_max_mb,
        "problem": words.gettext(problem) if problem else None,
    }
    return pages_of(request).render(request, "import_start.html", context, 422 if problem else 200)


async def _page(request: Request, account: Account, upload: UUID, template: str) -> Response:
    words = pages_of(request).words(request)
    async with pool_of(request).connection() as connection:
        found = await uploads.look(connection, space_of(account), upload)
    context = {
        "upload": found,
        "report": found.preview if found.state == "checked" else found.report,
        "waits": found.state in ("checking", "importing"),
        "refresh_s": REFRESH_S,
        "failure": words.gettext(PROBLEMS.get(found.problem or "", ANOTHER_PROBLEM)),
        "reason": lambda pointer: words.gettext(REASONS.get(pointer.strip("/").split("/")[0], ANOTHER_REASON)),
    }
    return pages_of(request).render(request, template, context)
