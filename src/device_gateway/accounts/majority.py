"""From when a patient decides alone."""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

MAJORITY: Final = 18  # years (Code civil, art. 414)
OLDEST: Final = 130  # years: a birth date before that is a slip of the finger


def birthday(day: date, years: int) -> date:
    """`day` so many years later, or earlier; 29 February becomes 1 March in a common year."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def is_of_age(birth_date: date, zone: str, now: datetime) -> bool:
    return birthday(birth_date, MAJORITY) <= now.astimezone(ZoneInfo(zone)).date()


def can_be(birth_date: date, zone: str, now: datetime) -> bool:
    """Whether somebody who lives can have been born on that day."""
    today = now.astimezone(ZoneInfo(zone)).date()
    return birthday(today, -OLDEST) <= birth_date <= today
