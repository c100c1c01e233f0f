"""Messages in known proportion, from a seed, and what must become of them whatever happens on the way.

A message is told apart by its bytes: each has an id or a number of its own, and however often a broker hands it out, it
is one message received. A repeated reading is sent in a message of its own, as a device sends that transfers its
history again.

What must become of them does not depend on the order in which they come: of the contents that a reading was sent with,
one is stored, each other one corrects it, and everything beyond that is a duplicate. A correction says that it is one,
so that the first of the contents is never the current one of several.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

DUPLICATES, CORRECTIONS, REJECTED, GARBAGE = 0.12, 0.05, 0.015, 0.015  # of all messages; the rest are new readings
START = datetime(2026, 1, 1, tzinfo=UTC)
UNIT = "mg/dL"
LOWEST_MG_DL = 60


@dataclass(frozen=True)
class Sent:
    """One message. `name` is None where nothing in it says for whom an answer would be."""

    payload: bytes
    name: str | None


@dataclass(frozen=True)
class Plan:
    """What one device sends, in this order, and what must become of it."""

    messages: Sequence[Sent]
    contents: dict[int, set[float]]  # by the minute that is measured: every value that it was sent with, lowest first
    rejected: set[bytes]  # payloads with a reading that cannot be true
    garbage: set[bytes]  # payloads that hold no reading
    counts: Counter[str]


def plan(seed: int, count: int) -> Plan:
    """`count` messages of a glucose sensor, one reading in each: the same for the same seed."""
    chance = random.Random(seed)
    kinds = ["duplicate"] * round(count * DUPLICATES) + ["corrected"] * round(count * CORRECTIONS)
    kinds += ["rejected"] * round(count * REJECTED) + ["quarantined"] * round(count * GARBAGE)
    kinds += ["stored"] * (count - 1 - len(kinds))
    chance.shuffle(kinds)
    messages: list[Sent] = []
    apart: dict[str, set[bytes]] = {"rejected": set(), "quarantined": set()}
    contents: dict[int, set[float]] = defaultdict(set)
    for kind in ("stored", *kinds):
        name = str(UUID(int=chance.getrandbits(128), version=4))
        if kind == "quarantined":
            messages.append(_garbage(len(apart[kind]), name))
        elif kind == "rejected":
            messages.append(Sent(_message(name, _refused(len(apart[kind]))), name))
        else:
            minute = len(contents) if kind == "stored" else chance.randrange(len(contents))
            known = contents[minute]
            value = chance.choice(sorted(known)) if kind == "duplicate" else LOWEST_MG_DL + minute % 200 + len(known)
            known.add(value)
            status = {"status": "corrected"} if value != min(known) else {}  # of any kind but the first
            messages.append(Sent(_message(name, _reading(minute, value) | status), name))
        if kind in apart:
            apart[kind].add(messages[-1].payload)
    return Plan(messages, contents, apart["rejected"], apart["quarantined"], Counter(("stored", *kinds)))


def _message(name: str, reading: dict[str, object]) -> bytes:
    return msgspec.json.encode({"message_id": name, "readings": [reading]})


def _reading(minute: int, value: float) -> dict[str, object]:
    at = (START + timedelta(minutes=minute)).isoformat()
    return {"metric": "interstitial-glucose", "value": f"{value:.0f}", "unit": UNIT, "at": at, "seq": minute}


def _refused(number: int) -> dict[str, object]:
    """A reading that is a reading, and cannot be true."""
    lies: Sequence[dict[str, object]] = (
        {"unit": "kg"},
        {"at": "2031-01-01T00:00:00Z"},
        {"at": "1970-01-01T00:00:00Z"},
        {"metric": "mood"},
    )
    return _reading(number, 100) | lies[number % len(lies)]


def _garbage(number: int, name: str) -> Sent:
    """A payload that holds no reading: three kinds of trouble, each time other bytes."""
    forms = (
        Sent(msgspec.json.encode({"message_id": name, "readings": 5}), name),  # it can still be answered
        Sent(b"\xff\xfe" + name.encode(), None),
        Sent(b'["%b"]' % name.encode(), None),
    )
    return forms[number % len(forms)]
