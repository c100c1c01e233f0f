"""``/devices/pair``: a Bluetooth device, paired at one of the patient's edges. Complete without JavaScript."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_token
from device_gateway.devices import edge_pairing
from device_gateway.devices.bind_keys import BadBindKey, parse_bind_key
from device_gateway.devices.bond_box import gateway_public_key
from device_gateway.devices.claim_codes import NAME_LENGTH, BadDeviceName, BadSince
from device_gateway.devices.edge_pairing import EdgePairing, EdgeUnknown, NoProof, NotPaired, StillInUse
from device_gateway.devices.models import model_name
from device_gateway.devices.users import UserIsSomebody, map_user
from device_gateway.errors import DeviceAlreadyClaimed
from device_gateway.portal.new_device import since_of
from device_gateway.portal.patient import Patient, space_of
from device_gateway.portal.translations import marked as _
from device_gateway.readings.user_index import LAST_USER
from device_gateway.state import pages_of, pool_of, settings_of

USER_INDEX, CONSENT_CODE = re.compile(r"[0-9]{1,3}"), re.compile(r"[0-9]{1,4}")
REFRESH_S = 2  # seconds: how often a page that waits looks again

router = APIRouter(prefix="/devices/pair", include_in_schema=False)

FAILURES: Mapping[str, str] = {
    "BondRefused": _("The device refused: the passkey was not the one that it shows, or it came too late."),
    "DeviceNotHeard": _("The device is not heard any more: wake it up and bring it nearer."),
    "BondLost": _("The device still has an old bond: remove it in the device's own settings, then try again."),
    "NoAnswer": _("The device did not answer in time."),
    "BindKeyWrong": _(
        "The bind key does not open what the device sends: check its 32 digits, and that it is this device's."
    ),
    "ConsentRefused": _(
        "The scale does not accept this user with this consent code: look at what it shows, and try again."
    ),
    "NothingMeasured": _("No new measurement was heard: try again, and use the device when you are asked to."),
    "LinkLost": _("The connection to the device was lost."),
    "RadioUnavailable": _("The edge has no Bluetooth at the moment."),
}
QUESTIONS = ("passkey_wanted", "key_wanted", "user_wanted", "number", "risk", "paired", "failed")
ANOTHER_FAILURE = _("Pairing did not work.")
PROBLEMS = {
    BadDeviceName: _("Give it a name of 1 to 60 characters."),
    BadSince: _("Choose a day that is not in the future."),
    NoProof: _("This bond does not prove that you have the device: its holder must remove it first."),
    StillInUse: _("Its holder used the device within the last day: they must remove it first, or leave it for a day."),
}
ALREADY_CLAIMED = _("Someone else holds this device.")


@router.get("")
async def start(request: Request, account: Patient) -> Response:
    async with pool_of(request).connection() as connection:
        found = await edge_pairing.edges(connection, space_of(account))
    return pages_of(request).render(request, "pair_at_edge_start.html", {"edges": found, "wrong": False})


@router.post("")
async def started(request: Request, account: Patient) -> Response:
    form = await read_form(request)
    check_token(form, account)
    async with pool_of(request).connection() as connection:
        try:
            pairing = await edge_pairing.begin(connection, space_of(account), _uuid(form.get("edge", "")))
        except EdgeUnknown:
            found = await edge_pairing.edges(connection, space_of(account))
            return pages_of(request).render(request, "pair_at_edge_start.html", {"edges": found, "wrong": True}, 422)
    return RedirectResponse(f"/devices/pair/{pairing}", 303)


@router.get("/{pairing}")
async def shown(request: Request, account: Patient, pairing: UUID) -> Response:
    return await _page(request, await _look(request, account, pairing), "pair_at_edge.html")


@router.get("/{pairing}/state")
async def state(request: Request, account: Patient, pairing: UUID) -> Response:
    """The part of the page that changes, for an open page that asks."""
    return await _page(request, await _look(request, account, pairing), "pair_at_edge_state.html")


@router.post("/{pairing}")
async def answered(request: Request, account: Patient, pairing: UUID) -> Response:
    form = await read_form(request)
    check_token(form, account)
    found, space = await _look(request, account, pairing), space_of(account)
    async with pool_of(request).connection() as connection:
        if address := form.get("address"):
            await edge_pairing.choose(connection, space, found, address)
        elif "consent_code" in form:
            user, code = form.get("user_index", "").strip(), form["consent_code"].strip()
            if not (USER_INDEX.fullmatch(user) and int(user) <= LAST_USER and CONSENT_CODE.fullmatch(code)):
                wrong = _("The number of a user is 0 to 254, a consent code has up to four digits.")
                return await _page(request, found, "pair_at_edge.html", problem=wrong)
            await edge_pairing.answer_user(connection, space, found, int(user), int(code))
        elif form.get("answer") in ("yes", "no"):
            await edge_pairing.answer_question(connection, space, found, yes=form["answer"] == "yes")
        elif "passkey" in form:
            digits = form["passkey"].replace(" ", "")
            if not (digits.isascii() and digits.isdecimal() and len(digits) <= 6):
                wrong = _("A passkey has up to six digits.")
                return await _page(request, found, "pair_at_edge.html", problem=wrong)
            await edge_pairing.answer_passkey(connection, space, found, digits)
        elif "bind_key" in form:
            try:
                key = parse_bind_key(form["bind_key"]).hex()
            except BadBindKey:
                wrong = _("A bind key has 32 digits: 0 to 9 and a to f.")
                return await _page(request, found, "pair_at_edge.html", problem=wrong)
            await edge_pairing.answer_key(connection, space, found, key)
        elif form.get("again") == "scan":
            await edge_pairing.scan_again(connection, space, found)
        elif form.get("add") in ("own", "take_over"):
            return await _add(request, account, found, form)
    return RedirectResponse(f"/devices/pair/{pairing}", 303)


async def _add(request: Request, account: Patient, pairing: EdgePairing, form: Mapping[str, str]) -> Response:
    words = pages_of(request).words(request)
    name, day = form.get("name", ""), form.get("since", "")
    take_over = form["add"] == "take_over"
    typed: dict[str, str | bool] = {"name": name, "since": day, "claimed": take_over}
    try:
        now = datetime.now(UTC)
        since = now if take_over else since_of(day, words, now)
        async with pool_of(request).connection() as connection:
            device = await edge_pairing.add(
                connection, account, space_of(account), pairing, name=name, since=since, take_over=take_over,
                bond_key=gateway_public_key(settings_of(request)),
            )  # fmt: skip
            if (user := pairing.user) is not None:  # whom the edge registered for the patient, or the patient named
                with suppress(UserIsSomebody):
                    await map_user(connection, space_of(account), device, user, account.actor)
    except NotPaired:
        pass  # sent twice, or too late: the page says where it is
    except DeviceAlreadyClaimed:
        return await _page(request, pairing, "pair_at_edge.html", problem=ALREADY_CLAIMED, **{**typed, "claimed": True})
    except tuple(PROBLEMS) as error:
        return await _page(request, pairing, "pair_at_edge.html", problem=PROBLEMS[type(error)], **typed)
    return RedirectResponse(f"/devices/pair/{pairing.id}", 303)


async def _look(request: Request, account: Patient, pairing: UUID) -> EdgePairing:
    async with pool_of(request).connection() as connection:
        return await edge_pairing.look(connection, space_of(account), pairing)


async def _page(
    request: Request,
    pairing: EdgePairing,
    template: str,
    *,
    problem: str | None = None,
    **typed: str | bool,
) -> Response:
    words = pages_of(request).words(request)
    question = pairing.said in QUESTIONS and pairing.step != "added"
    done = pairing.step == "added" and pairing.said == "first_reading"
    context = {
        "pairing": pairing,
        "waits": not (question or done or (pairing.step == "scan" and pairing.said == "scanned")),
        "refresh_s": REFRESH_S,
        "failure": words.gettext(FAILURES.get(str(pairing.details.get("reason")), ANOTHER_FAILURE)),
        "model_name": lambda key: words.model(model_name(key)),
        "problem": words.gettext(problem) if problem else None,
        "today": datetime.now(words.zone).date().isoformat(),
        "longest": NAME_LENGTH,
        "name": str(pairing.details.get("name") or "")[:NAME_LENGTH],
        "since": datetime.now(words.zone).date().isoformat(),
        "claimed": False,
        **typed,
    }
    return pages_of(request).render(request, template, context, 422 if problem else 200)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise EdgeUnknown from None
