"""What the next message of a topic will hold, by those before it: so that all it needs is looked up before it is read.

The server takes in rows while further messages are read, and answers no questions meanwhile. A message that holds what
was not foreseen ends that batch's attempt; nothing of it was written, and it is done again with everything read first.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from device_gateway.ingest.message import Message
from device_gateway.ingest.placing import Kind, Measure

REMEMBERED: Final = 50_000  # topics, some 15 MB
MOST_MEASURES: Final = 16  # of a topic; an edge of a care home has more, and its messages are long
LONGEST: Final = 64  # characters of a name that is remembered: it comes from outside
MEMORY: Final = 0.9  # weight of the past in the moving share of batches with something unforeseen
TOO_OFTEN: Final = 0.2  # above it nothing is taken for foreseen: each such batch is written twice
NOTHING: Final[frozenset[Measure]] = frozenset()


class Unforeseen(Exception):
    """A message needs something that was not looked up."""


class Foresight:
    """Of one worker."""

    def __init__(self) -> None:
        self._measures: dict[str, frozenset[Measure]] = {}  # none at all: what comes there cannot be foreseen
        self._surprises = 0.0

    def of(self, messages: Iterable[Message]) -> Mapping[str, frozenset[Measure]]:
        """What messages measure and that they need nothing else, by topic, as far as it is foreseen."""
        if self._surprises > TOO_OFTEN:
            return {}
        known = self._measures
        return {topic: measures for message in messages if (measures := known.get(topic := message.topic))}

    def note(self, topic: str, kinds: Iterable[Kind] | None) -> None:
        """A message that needed nothing but its `kinds`; None for one that needed more."""
        known = self._measures.get(topic)
        if known is None and len(self._measures) >= REMEMBERED:
            self._measures.clear()
        if kinds is None or known == NOTHING:
            self._measures[topic] = NOTHING
            return
        together = (known or NOTHING).union([kind[0] for kind in kinds])
        too_much = len(together) > MOST_MEASURES or any(len(text or "") > LONGEST for one in together for text in one)
        if together:
            self._measures[topic] = NOTHING if too_much else together

    def came(self, *, as_foreseen: bool) -> None:
        """How a batch went."""
        self._surprises *= MEMORY
        if not as_foreseen:
            self._surprises += 1 - MEMORY
