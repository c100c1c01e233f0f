"""``/glucose-profile``: the days of a glucose sensor laid over one another, and when it was silent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from markupsafe import Markup
from psycopg import AsyncConnection
from starlette.responses import Response

from device_gateway.access import Patient as PatientActor
from device_gateway.access import readable_metrics
from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.errors import Forbidden
from device_gateway.metrics import METRICS
from device_gateway.portal.charts.band import Band, draw_band
from device_gateway.portal.patient import Patient, space_of
from device_gateway.portal.seen import record_seen
from device_gateway.portal.trends import GLUCOSE_TARGET, SENSOR_SILENCE, chosen
from device_gateway.portal.words import Words
from device_gateway.readings.summaries import Gap, TimeOfDay, day_profile, gaps
from device_gateway.state import pages_of, pool_of

METRIC = "interstitial-glucose"
DAYS = (14, 30, 90)  # fourteen is what the consensus asks for (Battelino et al., Diabetes Care 2019;42:1593-1603)
SLOT_MIN = 30  # 14 days of a sensor of 15 minutes give 28 readings a slot: enough for a 5th percentile
MOST_GAPS = 20  # of the list, the newest

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class SlotRow:
    """One slot of the table: numbers in the reader's notation."""

    clock: str
    readings: int
    numbers: Sequence[str]  # percentiles 5, 25, 50, 75, 95


@dataclass(frozen=True)
class Silence:
    since: str
    until: str
    length: str


@dataclass(frozen=True)
class Profile:
    """What the template shows; `chart` is empty without readings."""

    days: int
    readings: int
    chart: Markup
    summary: str
    unit: str
    rows: Sequence[SlotRow]
    silences: Sequence[Silence]
    silent: int  # how many there are, with those that are not listed


@router.get("/glucose-profile")
async def glucose_profile(request: Request, account: Patient) -> Response:
    pages, now, space = pages_of(request), datetime.now(UTC), space_of(account)
    actor = PatientActor(space, account.id, account.display_name)
    if METRIC not in readable_metrics(actor):
        raise Forbidden
    days = chosen(request.query_params.get("days"), DAYS, DAYS[0])
    async with pool_of(request).connection() as connection, space_scope(connection, space):
        profile = await _profile(connection, pages.words(request), now, days)
        if profile.readings:
            await record_seen(connection, actor, profile.readings, [METRIC])
    context = {"profile": profile, "choices": DAYS, "target": GLUCOSE_TARGET, "slot_min": SLOT_MIN}
    return pages.render(request, "glucose_profile.html", context)


async def _profile(connection: AsyncConnection[Row], words: Words, now: datetime, days: int) -> Profile:
    since = now - timedelta(days=days)
    slots = await day_profile(connection, METRIC, since, now, SLOT_MIN)
    silences = await gaps(connection, METRIC, since, now, SENSOR_SILENCE)
    readings = sum(slot.readings for slot in slots)
    unit = words.unit(METRICS[METRIC].unit)
    summary = _summary(slots, words, unit)
    title = words.ngettext("Glucose by time of day, %(num)s day", "Glucose by time of day, %(num)s days", days)
    band = Band("profile", title, summary, unit, slots, SLOT_MIN, GLUCOSE_TARGET)
    return Profile(
        days, readings, draw_band(band, words) if slots else Markup(""), summary, unit,
        [_row(slot, words) for slot in slots],
        [_silence(gap, words, now) for gap in reversed(silences[-MOST_GAPS:])], len(silences),
    )  # fmt: skip


def _summary(slots: Sequence[TimeOfDay], words: Words, unit: str) -> str:
    """The chart in a sentence: where the median is lowest and highest."""
    if not slots:
        return words.gettext("No sensor reading in this time.")
    lowest, highest = min(slots, key=lambda slot: slot.p50), max(slots, key=lambda slot: slot.p50)
    return words.gettext(
        "The middle value is lowest at %(low_at)s with %(low)s and highest at %(high_at)s with %(high)s %(unit)s.",
        low_at=words.clock_of(lowest.minute), low=_number(lowest.p50, words),
        high_at=words.clock_of(highest.minute), high=_number(highest.p50, words), unit=unit,
    )  # fmt: skip


def _row(slot: TimeOfDay, words: Words) -> SlotRow:
    numbers = (slot.p5, slot.p25, slot.p50, slot.p75, slot.p95)
    return SlotRow(words.clock_of(slot.minute), slot.readings, [_number(number, words) for number in numbers])


def _silence(gap: Gap, words: Words, now: datetime) -> Silence:
    length = words.duration(int((gap.until - gap.since).total_seconds()))
    return Silence(words.moment(gap.since, now), words.moment(gap.until, now), length)


def _number(value: float, words: Words) -> str:
    return words.number(round(value))
