"""What is foreseen of a topic's messages."""

from datetime import UTC, datetime

import pytest

from device_gateway.ingest import foresight
from device_gateway.ingest.foresight import Foresight
from device_gateway.ingest.message import Message
from device_gateway.ingest.placing import Kind

WEIGHT, FAT = (None, "body-weight", "kg"), (None, "body-fat", "%")


def kinds(*measures: tuple[str | None, str, str]) -> list[Kind]:
    return [(measure, UTC, True) for measure in measures]


def of(seen: Foresight, topic: str = "t") -> frozenset[tuple[str | None, str, str]]:
    return seen.of([Message(topic, b"", datetime.now(UTC))]).get(topic, frozenset())


def test_what_was_measured_before_is_foreseen() -> None:
    seen = Foresight()
    assert not of(seen)
    seen.note("t", kinds(WEIGHT))
    seen.note("t", kinds(FAT))
    seen.note("t", [])
    assert of(seen) == {WEIGHT, FAT}
    assert not of(seen, "another")


@pytest.mark.parametrize(
    "more", [None, kinds((None, "x" * 100, "kg")), kinds(*((str(n), "m", "u") for n in range(17)))]
)
def test_nothing_is_foreseen_ever_where_messages_need_more_or_name_too_much(more: list[Kind] | None) -> None:
    seen = Foresight()
    seen.note("t", kinds(WEIGHT))
    seen.note("t", more)
    seen.note("t", kinds(WEIGHT))
    assert not of(seen)


def test_nothing_is_foreseen_while_batches_hold_surprises_too_often() -> None:
    seen = Foresight()
    seen.note("t", kinds(WEIGHT))
    for _ in range(3):
        seen.came(as_foreseen=False)
    assert not of(seen)
    for _ in range(3):
        seen.came(as_foreseen=True)
    assert of(seen)


def test_only_so_many_topics_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foresight, "REMEMBERED", 2)
    seen = Foresight()
    for topic in ("a", "b", "c"):
        seen.note(topic, kinds(WEIGHT))
    assert [bool(of(seen, topic)) for topic in ("a", "b", "c")] == [False, False, True]
