"""``/journal``: who did what in this space, newest first, by day; filtered; and the check that nothing was changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from psycopg import AsyncConnection
from starlette.datastructures import QueryParams
from starlette.responses import Response

from app_catalog import app_by_id, consents_given
from device_gateway.accounts import Account
from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.journal.reading_back import Broken, Entry, page, verify
from device_gateway.portal.journal_words import Names, app_of, purposes_text, sentence
from device_gateway.portal.patient import Patient, space_of
from device_gateway.portal.translations import marked as _
from device_gateway.portal.words import Words
from device_gateway.state import pages_of, pool_of

PAGE_ROWS = 40
ACTORS: Mapping[str, str] = {
    "patient": _("Me"),
    "app": _("Apps"),
    "device": _("Devices"),
    "professional": _("Professionals"),
    "system": _("The gateway"),
}
DEVICE_NAMES = """SELECT DISTINCT ON (device_id) device_id, name FROM (
    SELECT device_id, name, during FROM gateway.device_holding
    UNION ALL SELECT device_id, name, during FROM gateway.device_user WHERE name IS NOT NULL) n
  ORDER BY device_id, during DESC"""

router = APIRouter(prefix="/journal", include_in_schema=False)


@dataclass(frozen=True)
class Line:
    entry: Entry
    text: str
    clock: str
    purposes: str


@dataclass(frozen=True)
class Filter:
    """What was asked for, and whether a day could not be read."""

    kind: str | None
    since: date | None
    until: date | None
    wrong: bool

    def query(self, before: int) -> str:
        parts = {"kind": self.kind, "from": self.since, "to": self.until, "before": before}
        return urlencode({name: str(value) for name, value in parts.items() if value is not None})


@router.get("")
async def journal(request: Request, account: Patient) -> Response:
    """Query: `kind` of actor, days `from` and `to` (both included), `before` a row's number."""
    words, wanted = pages_of(request).words(request), _filter(request.query_params)
    before = request.query_params.get("before", "")
    entries: Sequence[Entry] = ()
    async with pool_of(request).connection() as connection:
        if not wanted.wrong:
            entries = await page(
                connection, space_of(account),
                before=int(before) if before.isdecimal() and len(before) < 19 else None, actor_kind=wanted.kind,
                since=_midnight(wanted.since, words), until=_midnight(wanted.until, words, later=1),
                limit=PAGE_ROWS + 1,
            )  # fmt: skip
        names = await _names(connection, account, entries[:PAGE_ROWS], words)
    lines = [_line(entry, words, names) for entry in entries[:PAGE_ROWS]]
    by_day = groupby(lines, lambda line: line.entry.at.astimezone(words.zone).date())
    context = {
        "days": [(day, list(of_day)) for day, of_day in by_day],
        "actors": ACTORS,
        "wanted": wanted,
        "older": wanted.query(entries[PAGE_ROWS - 1].n) if len(entries) > PAGE_ROWS else None,
        "first_page": not before,
    }
    return pages_of(request).render(request, "journal.html", context)


@router.get("/check")
async def check(request: Request, account: Patient) -> Response:
    async with pool_of(request).connection() as connection:
        result = await verify(connection, space_of(account))
    context = {"broken": result.n if isinstance(result, Broken) else None, "rows": getattr(result, "rows", 0)}
    return pages_of(request).render(request, "journal_check.html", context)


def _line(entry: Entry, words: Words, names: Names) -> Line:
    shown = purposes_text(entry, names) if entry.actor_kind == "app" else ""
    return Line(entry, sentence(entry, words, names), words.clock(entry.at.astimezone(words.zone)), shown)


async def _names(connection: AsyncConnection[Row], account: Account, entries: Sequence[Entry], words: Words) -> Names:
    async with space_scope(connection, space_of(account)):
        rows = await (await connection.execute(DEVICE_NAMES)).fetchall()
        purposes: dict[tuple[UUID, str], str] = {}
        for app_id in {app_id for entry in entries if entry.purpose and (app_id := app_of(entry))}:
            for given in reversed(await consents_given(connection, space_of(account), app_id)):
                purposes[app_id, given.purpose.key] = given.purpose.name[words.language]
            if app := await app_by_id(connection, app_id):
                purposes |= {(app.id, purpose.key): purpose.name[words.language] for purpose in app.purposes}
    return Names({row.device_id: row.name for row in rows}, purposes)


def _filter(query: QueryParams) -> Filter:
    kind = query.get("kind")
    wrong = False
    days: list[date | None] = []
    for name in ("from", "to"):
        text, day = query.get(name, "").strip(), None
        if text:
            try:
                day = date.fromisoformat(text)
            except ValueError:
                wrong = True
        days.append(day)
    return Filter(kind if kind in ACTORS else None, days[0], days[1], wrong)


def _midnight(day: date | None, words: Words, *, later: int = 0) -> datetime | None:
    if day is None or (later and day == date.max):
        return None
    return datetime.combine(day + timedelta(days=later), time(), words.zone)
