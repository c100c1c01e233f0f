"""Observation: read and search, for the metrics that the app may see; everything else looks absent."""

from collections.abc import Sequence
from typing import Final

from device_gateway.access import (
    CATEGORY_SYSTEM,
    OTHER_PATIENT,
    Decision,
    Deny,
    DeviceOf,
    ObservationOf,
    Permit,
    categories_of,
    decide,
)
from device_gateway.errors import NotFound
from device_gateway.fhir.bundle import entry, ignored_entry, searchset
from device_gateway.fhir.dates import matching
from device_gateway.fhir.device_id import device_id
from device_gateway.fhir.devices import device_text, devices_with_readings
from device_gateway.fhir.errors import BadParameter, NoSuchResource
from device_gateway.fhir.observation import ObservationWriter
from device_gateway.fhir.profiles import PROFILES
from device_gateway.fhir.search_request import PAGE, SearchRequest, parse_search
from device_gateway.fhir.served import R4, Answer, Asking, Parameter, SearchInput, ServedType, answer_of
from device_gateway.fhir.subject import PATIENT_ONLY, asks_for_other_patient
from device_gateway.journal import EventName
from device_gateway.metrics import METRICS, Metric
from device_gateway.readings import reading_back
from device_gateway.readings.reading_id import ReadingId, microseconds, parse_reading_id
from device_gateway.readings.rows import Series, StoredRow
from device_gateway.readings.windows import ALWAYS, Interval, Position, newer_than, older_than, windows

INCLUDE_DEVICE: Final = "Observation:device"


async def read(asking: Asking, text: str) -> Answer:
    try:
        identity = parse_reading_id(text)
    except NotFound:
        return answer_of(NoSuchResource())
    series = _series_named(await reading_back.series_of_space(asking.connection), identity)
    rows = await reading_back.identified(asking.connection, [(series, identity)]) if series else []
    if series is None or not rows:
        return answer_of(NoSuchResource())
    key = series.metric.key
    decision = decide(asking.app, "read", ObservationOf(asking.app.grant.subject, key))
    await asking.journal(EventName.APP_READ_OBSERVATION, decision, resource="Observation", quantity=1, metrics=[key])
    if not isinstance(decision, Permit):
        return answer_of(NoSuchResource())
    writer = ObservationWriter(series, asking.base_url, asking.patient_id)
    return Answer(writer.resource(rows[0]).encode(), headers={"ETag": f'W/"{rows[0].version}"'})


async def search(asking: Asking, given: SearchInput) -> Answer:
    request = parse_search(OBSERVATION, given, asking.base_url)
    all_series = await reading_back.series_of_space(asking.connection)
    decision, metrics = _decide(asking, request)
    visible = metrics if isinstance(decision, Permit) else frozenset[str]()
    series = {item.id: item for item in all_series if item.metric.key in visible and _of_device(item, request)}
    stretches = await _stretches(asking, request)
    position = _position(request, all_series)
    if "_id" in request.tokens:
        rows, total = await _identified(asking, request, list(series.values()), stretches, position)
    else:
        rows, total = await _page(asking, request, series, stretches, position)
    page = rows[: request.count]
    writers = {key: ObservationWriter(item, asking.base_url, asking.patient_id) for key, item in series.items()}
    entries = [writers[row.series].entry(row) for row in page]
    if INCLUDE_DEVICE in request.includes:
        entries += await _included_devices(asking, [series[row.series] for row in page])
    if request.ignored:
        entries.append(ignored_entry(request.ignored))
    url = f"{asking.base_url}/Observation"
    more = len(rows) > len(page) and page
    body = searchset(
        self_link=request.link(url, request.page),
        next_link=request.link(url, writers[page[-1].series].id_of(page[-1])) if more else None,
        total=total,
        entries=entries,
    )
    # Last, for the row locks the journal of the space until the transaction ends.
    await asking.journal(
        EventName.APP_SEARCHED_OBSERVATIONS,
        decision,
        resource="Observation",
        quantity=total if request.count_only and total is not None else len(page),
        metrics={item.metric.key for item in series.values()} if visible else metrics,
    )
    return Answer(body)


def _decide(asking: Asking, request: SearchRequest) -> tuple[Decision, frozenset[str]]:
    """The decision about what was asked for, and the metrics (keys) that it permits or refuses.

    Of several metrics those that are refused look absent; only when nothing is left is the search itself refused.
    """
    if asks_for_other_patient(asking, request):
        return Deny(OTHER_PATIENT), frozenset()
    space = asking.app.grant.subject
    decisions = {
        metric.key: decide(asking.app, "search", ObservationOf(space, metric.key))
        for metric in METRICS.values()
        if _named(metric, request)
    }
    permits = {key: each for key, each in decisions.items() if isinstance(each, Permit)}
    if not permits and decisions:
        return next(iter(decisions.values())), frozenset(decisions)
    purposes = {purpose.key: purpose for permit in permits.values() for purpose in permit.purposes}
    return Permit(tuple(purposes.values())), frozenset(permits)


def _named(metric: Metric, request: SearchRequest) -> bool:
    """Whether `metric` satisfies the criteria on code and category."""
    categories = categories_of(metric.key)
    return all(
        any(token.matches(metric.system, metric.code) for token in alternatives)
        for alternatives in request.tokens.get("code", ())
    ) and all(
        any(token.matches(CATEGORY_SYSTEM, category) for token in alternatives for category in categories)
        for alternatives in request.tokens.get("category", ())
    )


def _of_device(series: Series, request: SearchRequest) -> bool:
    wanted = device_id(series.device_id) if series.device_id else None
    return all(
        any(reference and reference.type in {None, "Device"} and reference.id == wanted for reference in alternatives)
        for alternatives in request.references.get("device", ())
    )


async def _stretches(asking: Asking, request: SearchRequest) -> list[Interval]:
    criteria = request.dates.get("date", [])
    zone = await reading_back.zone_of_space(asking.connection) if criteria else None
    return matching(criteria, zone, microseconds(asking.now)) if zone else [ALWAYS]


def _position(request: SearchRequest, all_series: Sequence[Series]) -> Position | None:
    """Where the page before ended. Its series is looked up among all of the space: consent may have changed since."""
    if request.page is None:
        return None
    try:
        identity = parse_reading_id(request.page)
    except NotFound:
        raise BadParameter(PAGE, "follow the next link as it was given") from None
    series = _series_named(all_series, identity)
    if series is None:
        raise BadParameter(PAGE, "follow the next link as it was given")
    return Position(identity.at_us, series.id, identity.seq)


async def _page(
    asking: Asking,
    request: SearchRequest,
    series: dict[int, Series],
    stretches: Sequence[Interval],
    position: Position | None,
) -> tuple[list[StoredRow], int | None]:
    """One row more than the page has, if there is one; and the total, if it was asked for."""
    among = windows(series, stretches)
    total = None
    if request.total or request.count_only:
        total = await reading_back.count(asking.connection, among)
    if request.count_only:
        return [], total
    if request.descending:
        rest = among if position is None else older_than(position, among)
        return await reading_back.newest(asking.connection, rest, request.count + 1), total
    rest = among if position is None else newer_than(position, among)
    return await reading_back.oldest(asking.connection, rest, request.count + 1), total


async def _identified(
    asking: Asking,
    request: SearchRequest,
    series: Sequence[Series],
    stretches: Sequence[Interval],
    position: Position | None,
) -> tuple[list[StoredRow], int | None]:
    """The same for a search by ids: at most some hundred rows, put in order here."""
    wanted = []
    for identity in _ids(request):
        item = _series_named(series, identity)
        if item and any(_within(identity.at_us, stretch) for stretch in stretches):
            wanted.append((item, identity))
    rows = await reading_back.identified(asking.connection, wanted) if wanted else []
    total = len(rows) if request.total or request.count_only else None
    if request.count_only:
        return [], total
    rows.sort(key=_order, reverse=request.descending)
    if position is not None:
        rows = [row for row in rows if (_order(row) < position if request.descending else _order(row) > position)]
    return rows, total


def _ids(request: SearchRequest) -> set[ReadingId]:
    """Identities that every ``_id`` names; what is no id of ours names nothing."""
    named = []
    for alternatives in request.tokens["_id"]:
        identities = set()
        for token in alternatives:
            try:
                identities.add(parse_reading_id(token.code or "" if token.system is None else ""))
            except NotFound:
                continue
        named.append(identities)
    return set.intersection(*named)


async def _included_devices(asking: Asking, series: Sequence[Series]) -> list[str]:
    """Entries of the devices of `series` that the app may read."""
    wanted = {item.device_id for item in series if item.device_id}
    if not wanted:
        return []
    space = asking.app.grant.subject
    devices = await devices_with_readings(asking, wanted)
    shown = [
        device for device in devices if isinstance(decide(asking.app, "read", DeviceOf(space, device.metrics)), Permit)
    ]
    everything = DeviceOf(space, frozenset[str]().union(*(device.metrics for device in devices)))
    decision = decide(asking.app, "read", everything)
    await asking.journal(EventName.APP_READ_DEVICE, decision, resource="Device", quantity=len(shown))
    return [
        entry(f"{asking.base_url}/Device/{device_id(device.id)}", device_text(asking, device), "include")
        for device in shown
    ]


def _series_named(among: Sequence[Series], identity: ReadingId) -> Series | None:
    return next((item for item in among if item.uuid == identity.series), None)


def _within(at_us: int, stretch: Interval) -> bool:
    return (stretch.low is None or stretch.low <= at_us) and (stretch.high is None or at_us < stretch.high)


def _order(row: StoredRow) -> Position:
    return Position(microseconds(row.time), row.series, row.seq)


OBSERVATION: Final = ServedType(
    name="Observation",
    documentation="One measured value, or one blood pressure, of a metric that the patient agreed to share.",
    read=read,
    search=search,
    parameters=(
        Parameter("_id", "token", "Logical id.", f"{R4}/Resource-id"),
        Parameter("category", "token", "vital-signs, laboratory, activity or survey.", f"{R4}/Observation-category"),
        Parameter("code", "token", "LOINC code of what was measured.", f"{R4}/clinical-code"),
        Parameter("date", "date", "Effective time; without an offset in the patient's zone.", f"{R4}/clinical-date"),
        Parameter(
            "device", "reference", "The device that measured.", f"{R4}/Observation-device", frozenset({"Device"})
        ),
        Parameter("patient", "reference", "The patient of the access token.", f"{R4}/clinical-patient", PATIENT_ONLY),
        Parameter("subject", "reference", "The same as patient.", f"{R4}/Observation-subject", PATIENT_ONLY),
    ),
    versioned=True,
    profiles=tuple(dict.fromkeys(PROFILES.values())),
    includes=(INCLUDE_DEVICE,),
    sorts=("date",),
)
