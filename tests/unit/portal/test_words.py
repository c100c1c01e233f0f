from datetime import UTC, datetime, timedelta, timezone

import pytest

from device_gateway.portal.words import Words

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("digits", "french", "english"),
    [
        ("72.40", "72,40", "72.40"),
        ("5.60", "5,60", "5.60"),
        ("12345", "12\u202f345", "12,345"),
        ("-3.10", "−3,10", "−3.10"),
        ("0.0", "0,0", "0.0"),
    ],
)
def test_a_value_keeps_every_digit(digits: str, french: str, english: str) -> None:
    assert Words("fr", "Europe/Paris").value(digits) == french
    assert Words("en", "Europe/Paris").value(digits) == english


def test_a_moment_is_told_in_the_zone_of_the_patient() -> None:
    words = Words("fr", "Pacific/Auckland")
    assert words.moment(datetime(2026, 11, 21, 12, 30, tzinfo=UTC), NOW + timedelta(hours=1)) == "aujourd’hui à 01:30"
    assert Words("en", "Europe/Paris").moment(NOW - timedelta(days=1), NOW) == "yesterday at 13:00"


def test_a_reading_keeps_the_hour_of_the_place_where_it_was_made() -> None:
    there = datetime(2026, 11, 21, 1, 5, tzinfo=timezone(timedelta(hours=9)))
    assert Words("en", "Europe/Paris").moment(there, NOW, own_offset=True) == "today at 01:05"


def test_units_are_written_as_people_write_them() -> None:
    assert Words("fr", "UTC").unit("mm[Hg]") == "mmHg"
    assert Words("fr", "UTC").unit("1/(24.h)") == "pas par jour"
    assert Words("en", "UTC").unit("mg/dL") == "mg/dL"


def test_a_time_ago_is_said_in_the_language() -> None:
    assert Words("fr", "UTC").ago(NOW - timedelta(minutes=5), NOW) == "il y a 5 minutes"
    assert Words("en", "UTC").ago(NOW, NOW) == "just now"
