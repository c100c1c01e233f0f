"""``/devices/inbox``: "is this you?", one question per device and user of it, and the answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from device_gateway.access import Patient as PatientActor
from device_gateway.accounts import Account
from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_token
from device_gateway.database.scoping import space_scope
from device_gateway.devices.users import people_of
from device_gateway.errors import NotFound
from device_gateway.portal.latest import quantity_text
from device_gateway.portal.patient import Patient, space_of
from device_gateway.portal.seen import record_seen
from device_gateway.portal.words import Words
from device_gateway.readings.inbox import (
    Moment,
    MomentKey,
    Question,
    accept,
    discard,
    moment_key,
    moments,
    question_key,
    questions,
)
from device_gateway.readings.rows import KeptReading
from device_gateway.state import pages_of, pool_of

MOMENTS_SHOWN = 30  # of one question; more are answered together, or after these
PICK = "pick."  # a ticked moment: the field's name is this and the moment's key
ALL = "all"  # ticked, or hidden where there is nothing to choose: all of the question

router = APIRouter(prefix="/devices/inbox", include_in_schema=False)


@dataclass(frozen=True)
class Line:
    """One moment, told: when, and what was measured."""

    key: MomentKey
    when: str
    measured: Sequence[str]


@dataclass(frozen=True)
class Asked:
    """lines  none where values are not shown
    named  whether the user of the device is known to be the holder: what waits was measured before that was said
    """

    question: Question
    lines: Sequence[Line]
    named: bool

    @property
    def offers_later(self) -> bool:
        """Whether "and what this user measures later" can be said at once."""
        return self.question.key.part == "own" and self.question.key.known_user and not self.named


@router.get("")
async def inbox(request: Request, account: Patient) -> Response:
    return await _page(request, account)


@router.post("/{device}/{key}")
async def answer(request: Request, account: Patient, device: UUID, key: str) -> Response:
    """Fields: `decision` (accept, discard), `all` or `pick.…` for each moment, `later`, `confirmed`.

    What cannot be taken back, or may be somebody else's, is asked once more.
    """
    form = await read_form(request)
    check_token(form, account)
    wanted, decision = question_key(key), form.get("decision")
    if decision not in ("accept", "discard"):
        raise NotFound
    picked = None if ALL in form else [moment_key(name.removeprefix(PICK)) for name in form if name.startswith(PICK)]
    if picked is not None and not picked:
        return await _page(request, account, nothing_ticked=f"{device}/{key}", status=422)
    if "confirmed" not in form and (decision == "discard" or wanted.part == "before"):
        return await _confirm(request, account, device, key, form)
    async with pool_of(request).connection() as connection:
        if decision == "discard":
            done = await discard(connection, space_of(account), device, wanted, account.actor, picked=picked)
        else:
            done = await accept(
                connection, space_of(account), device, wanted, account.actor, picked=picked, later="later" in form
            )
    return RedirectResponse(f"/devices/inbox?done={decision}&number={done}", 303)


async def _page(
    request: Request, account: Account, *, nothing_ticked: str | None = None, status: int = 200
) -> Response:
    words, space = pages_of(request).words(request), space_of(account)
    asked, seen = [], list[str]()
    async with pool_of(request).connection() as connection:
        for question in await questions(connection, space):
            shown = await moments(connection, space, question, MOMENTS_SHOWN)
            seen += [reading.metric.key for moment in shown for reading in moment.readings]
            people = await people_of(connection, space, question.device) if question.key.known_user else []
            named = any(one.user == question.key.user and one.mine for one in people)
            asked.append(Asked(question, [_line(one, words) for one in shown], named))
        if seen:
            async with space_scope(connection, space):
                actor = PatientActor(space, account.id, account.display_name)
                await record_seen(connection, actor, len(seen), sorted(set(seen)))
    number = request.query_params.get("number", "")
    context = {
        "here": "/devices/inbox",
        "asked": asked,
        "nothing_ticked": nothing_ticked,
        "done": request.query_params.get("done"),
        "number": int(number) if number.isdecimal() and len(number) < 10 else 0,
    }
    return pages_of(request).render(request, "inbox.html", context, status)


async def _confirm(request: Request, account: Account, device: UUID, key: str, form: Mapping[str, str]) -> Response:
    """The same form once more, with what it would do. Raises NotFound for a question that nobody asks."""
    async with pool_of(request).connection() as connection:
        found = [
            one
            for one in await questions(connection, space_of(account))
            if one.device == device and str(one.key) == key
        ]
    if not found:
        raise NotFound
    picked = [name for name in form if name.startswith(PICK)]
    context = {
        "here": "/devices/inbox",
        "question": found[0],
        "decision": form["decision"],
        "kept": [ALL] if ALL in form else picked,
        "number": found[0].moments if ALL in form else len(picked),
    }
    return pages_of(request).render(request, "inbox_confirm.html", context)


def _line(moment: Moment, words: Words) -> Line:
    local = moment.at if moment.at.utcoffset() else moment.at.astimezone(words.zone)
    when = words.gettext("%(day)s at %(time)s", day=words.day(local.date()), time=words.clock(local))
    return Line(moment.key, when, [_measured(one, words) for one in moment.readings])


def _measured(reading: KeptReading, words: Words) -> str:
    sent = reading.sent
    return f"{words.metric(reading.metric.key)} {quantity_text(sent, words)} {words.unit(sent.unit)}"
