"""How long a consent lasts: to the end of a day that the patient chooses, a year at most."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app_catalog.words import marked

LONGEST = timedelta(days=365)  # what a grant lasts as well: everyone is asked again once a year
CHOICES = (30, 91, 182, 365)  # days
SOON = timedelta(days=14)  # before its end, the portal says that it comes
KEEP, ON_A_DAY = "keep", "day"  # beside the number of days: as it is now, or on a day of one's own

NO_SUCH_END = marked("Choose until when, or give a day between tomorrow and a year from now.")


class NoSuchEnd(ValueError):
    """This is not a day on which a consent can end."""


def chosen_end(choice: str, day: str, *, zone: str, now: datetime, kept: datetime | None = None) -> datetime:
    """When a consent ends that is given now.

    choice  a number of days out of `CHOICES`, `ON_A_DAY`, or `KEEP` where there is an end to keep; nothing: the longest
    day     the last day, as YYYY-MM-DD in `zone`, for `ON_A_DAY`

    Raises NoSuchEnd.
    """
    if not choice:
        return kept or now + LONGEST
    if choice == KEEP and kept is not None:
        return kept
    if choice == ON_A_DAY:
        return _end_of(_day(day), zone, now)
    if choice in {str(days) for days in CHOICES}:
        return min(_end_of(_today(now, zone) + timedelta(days=int(choice)), zone, now), now + LONGEST)
    raise NoSuchEnd


def last_day(ends_at: datetime, zone: str) -> date:
    """The day in `zone` on which a consent still counts."""
    return (ends_at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()


def first_and_last(now: datetime, zone: str) -> tuple[date, date]:
    """The days that can be chosen."""
    today = _today(now, zone)
    return today + timedelta(days=1), today + LONGEST


def ends_offered(
    sent: Mapping[str, str], *, zone: str, now: datetime, kept: datetime | None = None
) -> dict[str, object]:
    """What ``app_catalog/ends.html`` shows: its fields as they were `sent`, or the present end, or the longest."""
    first, last = first_and_last(now, zone)
    return {
        "choices": CHOICES,
        "kept": kept and last_day(kept, zone),
        "chosen": sent.get("ends") or (str(CHOICES[-1]) if kept is None else KEEP),
        "day": sent.get("ends_on", ""),
        "first": first,
        "last": last,
    }


def _end_of(day: date, zone: str, now: datetime) -> datetime:
    first, last = first_and_last(now, zone)
    if not first <= day <= last:
        raise NoSuchEnd
    return min(datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC), now + LONGEST)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NoSuchEnd from None


def _today(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone)).date()
