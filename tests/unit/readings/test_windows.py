"""Windows: pages that follow each other show every reading once, whatever the ties."""

from hypothesis import given
from hypothesis import strategies as st

from device_gateway.readings.reading_id import INT8_MAX, INT8_MIN
from device_gateway.readings.windows import Interval, Position, newer_than, older_than, timestamp, windows

SERIES = (1, 2, 3)
INTERVALS = [Interval(0, 3), Interval(4, 7)]
# Few instants and sequences, so that there are many ties; the extremes of the sequence among them.
READINGS = st.sets(
    st.builds(Position, st.integers(-1, 8), st.sampled_from(SERIES), st.sampled_from([INT8_MIN, 0, 1, INT8_MAX])),
    max_size=40,
)


def held(window, reading):
    return window.series == reading.series and (
        (window.low, window.low_seq) < (reading.at_us, reading.seq) < (window.high, window.high_seq)
    )


def paged(readings, after, descending, size):
    """Walk through all pages as a client does."""
    seen, rest = [], windows(SERIES, INTERVALS)
    while True:
        found = sorted((r for r in readings if any(held(w, r) for w in rest)), reverse=descending)[:size]
        if not found:
            return seen
        seen += found
        rest = after(seen[-1], windows(SERIES, INTERVALS))


@given(READINGS, st.integers(1, 5))
def test_pages_show_every_reading_of_the_intervals_once(readings, size):
    wanted = [r for r in readings if any(i.low <= r.at_us < i.high for i in INTERVALS)]
    assert paged(readings, older_than, True, size) == sorted(wanted, reverse=True)
    assert paged(readings, newer_than, False, size) == sorted(wanted)


def test_open_ends_reach_to_infinity():
    (window,) = windows([7])
    assert timestamp(window.low) == "-infinity"
    assert timestamp(window.high) == "infinity"
    assert timestamp(0) == "1970-01-01T00:00:00+00:00"


def test_windows_that_are_read_to_the_end_are_gone():
    among = windows([1], [Interval(0, 10), Interval(20, 30)])
    assert [w.high for w in older_than(Position(20, 1, INT8_MIN), among)] == [10]
    assert older_than(Position(0, 1, INT8_MIN), among) == []
    assert newer_than(Position(29, 1, INT8_MAX), among) == []
