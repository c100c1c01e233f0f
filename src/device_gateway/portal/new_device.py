"""``/devices/new``: a claim code, a device attached by its hardware id to a hub, or what a hub needs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_token
from device_gateway.devices.certificates import WantsCertificateRequest
from device_gateway.devices.claim_codes import NAME_LENGTH, BadDeviceName, BadSince, claim_state, make_claim_code
from device_gateway.devices.heard import attach_heard
from device_gateway.devices.holdings import HeldDevice, held_devices
from device_gateway.devices.models import EDGE, KnownModel, known_model, known_models
from device_gateway.devices.pairing import BadHardwareId, UnknownHub
from device_gateway.devices.provisioning import provision
from device_gateway.devices.replacement import replacement_code
from device_gateway.errors import DeviceAlreadyClaimed, NotFound, UnknownModel
from device_gateway.portal.device_access import shown_once
from device_gateway.portal.patient import Patient, space_of
from device_gateway.portal.qr import qr_code
from device_gateway.portal.translations import marked as _
from device_gateway.portal.words import Words
from device_gateway.readings.model import Model
from device_gateway.state import pages_of, pool_of, settings_of

router = APIRouter(prefix="/devices/new", include_in_schema=False)

PROBLEMS = {
    BadDeviceName: ("name", _("Give it a name of 1 to 60 characters.")),
    BadSince: ("since", _("Choose a day that is not in the future.")),
    UnknownModel: ("model", _("Choose a model from the list.")),
    BadHardwareId: (
        "hardware_id",
        _("A Bluetooth address looks like AA:BB:CC:DD:EE:FF; a serial number has letters and digits."),
    ),
    UnknownHub: ("hub", _("Choose one of your hubs.")),
    WantsCertificateRequest: (
        "model",
        _("Devices sign in here with a certificate that they ask for themselves: this one cannot be connected."),
    ),
    DeviceAlreadyClaimed: (
        "hardware_id",
        _('Someone else holds this device: its holder must remove it first, under "my devices".'),
    ),
}
NEEDS_HUB = _("This model reaches us through a hub or an edge only. Pair that first.")
FIELDS = ("model", "name", "since", "hub", "hardware_id", "settings")


@dataclass
class Entered:
    """What was typed, kept when something has to be put right; `problems` by field.

    settings  not empty: the device cannot take a code, its settings are wanted instead
    """

    model: str = ""
    name: str = ""
    since: str = ""
    hub: str = ""
    hardware_id: str = ""
    settings: str = ""
    problems: dict[str, str] = field(default_factory=dict, init=False)


@router.get("")
async def choose(request: Request, account: Patient) -> Response:
    """An empty form, or one about a device that a hub was heard to speak for (fields in the query)."""
    today = datetime.now(pages_of(request).words(request).zone).date()
    offered = {name: text[:64] for name in FIELDS if (text := request.query_params.get(name))}
    return await _form(request, account, Entered(**({"since": today.isoformat()} | offered)))


@router.post("")
async def chosen(request: Request, account: Patient) -> Response:
    """With a hardware id and a hub: attached at once. Without: a claim code, shown once."""
    form = await read_form(request)
    check_token(form, account)
    entered = Entered(**{name: form.get(name, "").strip() for name in FIELDS})
    words, now = pages_of(request).words(request), datetime.now(UTC)
    try:
        known = known_model(entered.model)
        since = since_of(entered.since, words, now)
        if not known.stands_alone:
            return await _attach(request, account, entered, since)
        if known.model.kind == "hub" or entered.settings:
            return await _settings(request, account, entered, since)
        return await _code(request, account, known, entered, since=since, now=now)
    except tuple(PROBLEMS) as error:
        name, text = PROBLEMS[type(error)]
        entered.problems[name] = words.gettext(text)
        return await _form(request, account, entered, 422)


@router.get("/waiting/{made_us}")
async def waiting(request: Request, account: Patient, made_us: int) -> Response:
    """What became of the code made at `made_us`, microseconds since 1970: the open page asks every few seconds."""
    try:
        made_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=made_us)
    except OverflowError:
        raise NotFound from None
    async with pool_of(request).connection() as connection:
        state = await claim_state(connection, space_of(account), made_at)
    if state is None:
        raise NotFound
    return pages_of(request).render(request, "claim_waiting.html", _state(state.expires_at, made_us, state.used_at))


async def _code(
    request: Request, account: Patient, known: KnownModel, entered: Entered, *, since: datetime, now: datetime
) -> Response:
    minutes = settings_of(request).claim_code_minutes
    async with pool_of(request).connection() as connection:
        code = await make_claim_code(connection, space_of(account), account, entered.name, since, minutes, now=now)
    return _shown(request, code, known.model, entered.name, now, {})


def _shown(  # noqa: PLR0917  # what the page says, in its order
    request: Request, code: str, model: Model, name: str, now: datetime, more: dict[str, object]
) -> Response:
    minutes = settings_of(request).claim_code_minutes
    made_us = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    context: dict[str, object] = {"code": code, "qr": qr_code(code), "model": model, "name": name, "minutes": minutes}
    context |= {"command": None, **more, **_state(now + timedelta(minutes=minutes), made_us, None)}
    return pages_of(request).render(request, "claim_code.html", context, 201)


@router.post("/replacement/{edge}")
async def replacement(request: Request, account: Patient, edge: UUID) -> Response:
    """A claim code for the edge that takes the place of one whose host is gone."""
    check_token(await read_form(request), account)
    settings, now = settings_of(request), datetime.now(UTC)
    async with pool_of(request).connection() as connection:
        code, name = await replacement_code(
            connection, account, space_of(account), edge, minutes=settings.claim_code_minutes, now=now
        )
    command = f"device-gateway edge restore --gateway {settings.public_url} --code {code}"
    return _shown(request, code, EDGE, name, now, {"command": command})


async def _attach(request: Request, account: Patient, entered: Entered, since: datetime) -> Response:
    try:
        hub = UUID(entered.hub)
    except ValueError:
        raise UnknownHub from None
    async with pool_of(request).connection() as connection:
        await attach_heard(
            connection, account, space_of(account),
            hub=hub, model=entered.model, hardware_id=entered.hardware_id, name=entered.name, since=since,
        )  # fmt: skip
    return RedirectResponse("/devices?done=attached", 303)


async def _settings(request: Request, account: Patient, entered: Entered, since: datetime) -> Response:
    """What is to be copied into a product that cannot exchange a claim code; the password is shown this once."""
    async with pool_of(request).connection() as connection:
        access = await provision(
            connection, account, space_of(account), settings_of(request),
            model=entered.model, name=entered.name, since=since,
        )  # fmt: skip
    return shown_once(request, access, entered.name)


async def _form(request: Request, account: Patient, entered: Entered, status: int = 200) -> Response:
    async with pool_of(request).connection() as connection:
        held = await held_devices(connection, space_of(account))
    hubs: Sequence[HeldDevice] = [device for device in held if device.kind != "device"]
    known = known_models().values()
    words = pages_of(request).words(request)
    if entered.problems.get("hub") and not hubs:
        entered.problems["hub"] = words.gettext(NEEDS_HUB)
    context = {
        "entered": entered,
        "hubs": hubs,
        "alone": [one.model for one in known if one.stands_alone and one.model.kind != "hub"],
        "products": [one.model for one in known if one.model.kind == "hub"],
        "carried": [one.model for one in known if not one.stands_alone],
        "today": datetime.now(words.zone).date().isoformat(),
        "longest": NAME_LENGTH,
    }
    return pages_of(request).render(request, "device_new.html", context, status)


def since_of(text: str, words: Words, now: datetime) -> datetime:
    """The local midnight at which that day begins. Raises BadSince."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadSince from None
    if day > now.astimezone(words.zone).date():
        raise BadSince
    return datetime.combine(day, time(), words.zone)


def _state(expires_at: datetime, made_us: int, used_at: datetime | None) -> dict[str, object]:
    left = max(0, int((expires_at - datetime.now(UTC)).total_seconds()))
    return {"left_s": left, "made_us": made_us, "paired": used_at is not None}
