"""Device: read and search. A device is there for an app when one of its readings may be read, and otherwise is not."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from device_gateway.access import (
    OTHER_PATIENT,
    Decision,
    Deny,
    DeviceOf,
    Permit,
    decide,
    readable_metrics,
)
from device_gateway.devices.models import model_name
from device_gateway.errors import NotFound
from device_gateway.fhir.bundle import entry, ignored_entry, searchset
from device_gateway.fhir.device import device_resource
from device_gateway.fhir.device_id import device_id, parse_device_id
from device_gateway.fhir.errors import NoSuchResource
from device_gateway.fhir.search_request import SearchRequest, parse_search
from device_gateway.fhir.served import R4, Answer, Asking, Parameter, SearchInput, ServedType, answer_of
from device_gateway.fhir.subject import PATIENT_ONLY, asks_for_other_patient
from device_gateway.journal import EventName
from device_gateway.readings.reading_back import holding_readings, series_of_space

# Devices of this space; `held`: in the patient's hands now, or knowing the patient as one of its users.
DEVICES: Final = """SELECT d.id, d.model,
  EXISTS (SELECT FROM gateway.device_holding h WHERE h.device_id = d.id AND upper_inf(h.during))
    OR EXISTS (SELECT FROM gateway.device_user u WHERE u.device_id = d.id AND upper_inf(u.during)) AS held
FROM gateway.device d WHERE d.id = ANY (%s) ORDER BY d.id"""


@dataclass(frozen=True)
class SeenDevice:
    """A device with the metrics (keys) of those of its readings that exist."""

    id: UUID
    model: str
    held: bool
    metrics: frozenset[str]


async def devices_with_readings(asking: Asking, wanted: Collection[UUID] | None = None) -> list[SeenDevice]:
    """Devices of the space that have readings, of all metrics; only those of `wanted` when it is given."""
    series = [
        item
        for item in await series_of_space(asking.connection)
        if item.device_id and (wanted is None or item.device_id in wanted)
    ]
    filled = await holding_readings(asking.connection, series)
    metrics: dict[UUID, set[str]] = {}
    for item in series:
        if item.device_id and item.id in filled:
            metrics.setdefault(item.device_id, set()).add(item.metric.key)
    rows = await (await asking.connection.execute(DEVICES, (list(metrics),))).fetchall()
    return [SeenDevice(row.id, row.model, row.held, frozenset(metrics[row.id])) for row in rows]


def device_text(asking: Asking, device: SeenDevice) -> str:
    """JSON text of the Device, as this app may see it."""
    visible = device.metrics & (readable_metrics(asking.app, "read") | readable_metrics(asking.app, "search"))
    return device_resource(
        device.id, model_name(device.model), held=device.held, patient_id=asking.patient_id, metrics=visible
    )


async def read(asking: Asking, text: str) -> Answer:
    try:
        wanted = parse_device_id(text)
    except NotFound:
        return answer_of(NoSuchResource())
    devices = await devices_with_readings(asking, [wanted])
    if not devices:
        return answer_of(NoSuchResource())
    decision = decide(asking.app, "read", DeviceOf(asking.app.grant.subject, devices[0].metrics))
    await asking.journal(EventName.APP_READ_DEVICE, decision, resource=f"Device/{text}", quantity=1)
    if not isinstance(decision, Permit):
        return answer_of(NoSuchResource())
    return Answer(device_text(asking, devices[0]).encode())


async def search(asking: Asking, given: SearchInput) -> Answer:
    request = parse_search(DEVICE, given, asking.base_url)
    space = asking.app.grant.subject
    other = asks_for_other_patient(asking, request)
    devices = [] if other else await devices_with_readings(asking)
    matches = [
        device
        for device in devices
        if isinstance(decide(asking.app, "search", DeviceOf(space, device.metrics)), Permit)
        and _wanted(device, request)
    ]
    remaining = [device for device in matches if request.page is None or device_id(device.id) > request.page]
    page = [] if request.count_only else remaining[: request.count]
    entries = [
        entry(f"{asking.base_url}/Device/{device_id(device.id)}", device_text(asking, device), "match")
        for device in page
    ]
    if request.ignored:
        entries.append(ignored_entry(request.ignored))
    # One row for the search: what all devices together are permitted by, or why nothing was.
    everything = DeviceOf(space, frozenset[str]().union(*(device.metrics for device in devices)))
    decision: Decision = Deny(OTHER_PATIENT) if other else decide(asking.app, "search", everything)
    quantity = len(matches) if request.count_only else len(page)
    await asking.journal(EventName.APP_SEARCHED_DEVICES, decision, resource="Device", quantity=quantity)
    url = f"{asking.base_url}/Device"
    last = device_id(page[-1].id) if page and len(remaining) > len(page) else None
    body = searchset(
        self_link=request.link(url, request.page),
        next_link=request.link(url, last) if last else None,
        total=len(matches) if request.total or request.count_only else None,
        entries=entries,
    )
    return Answer(body)


def _wanted(device: SeenDevice, request: SearchRequest) -> bool:
    return all(
        any(token.system is None and token.code == device_id(device.id) for token in alternatives)
        for alternatives in request.tokens.get("_id", ())
    )


DEVICE: Final = ServedType(
    name="Device",
    documentation="Devices with at least one reading that the app may read.",
    read=read,
    search=search,
    parameters=(
        Parameter("_id", "token", "Logical id.", f"{R4}/Resource-id"),
        Parameter("patient", "reference", "The patient of the access token.", f"{R4}/Device-patient", PATIENT_ONLY),
    ),
)
