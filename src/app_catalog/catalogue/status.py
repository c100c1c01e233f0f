"""The states of an app, what each allows, and which may follow which."""

from dataclasses import dataclass
from enum import StrEnum

from app_catalog.words import marked


class Status(StrEnum):
    CANDIDATE = "CANDIDATE"  # described by its vendor, not approved
    PRE_SERIES = "PRE_SERIES"  # approved for a limited circle: works, but is not in the list
    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"  # taken out of the list for a while: who is connected stays connected
    SUSPENDED = "SUSPENDED"  # stopped by a reviewer: nothing works but disconnecting
    DEREFERENCED = "DEREFERENCED"  # gone for good: every patient was disconnected

    @property
    def label(self) -> str:
        """For people, as an English msgid."""
        return LABELS[self]

    @property
    def meaning(self) -> str:
        """What it means for patients, as an English msgid; empty where there is nothing to know."""
        return MEANINGS.get(self, "")


LABELS = {
    Status.CANDIDATE: marked("candidate"),
    Status.PRE_SERIES: marked("pre-series"),
    Status.ONLINE: marked("online"),
    Status.OFFLINE: marked("offline"),
    Status.SUSPENDED: marked("suspended"),
    Status.DEREFERENCED: marked("removed"),
}
MEANINGS = {
    Status.PRE_SERIES: marked("It is being tried by a small circle of patients whom its maker invited."),
    Status.OFFLINE: marked("It cannot be connected at present. Whoever is connected stays connected."),
    Status.SUSPENDED: marked("It reads and writes nothing at present. Whoever is connected can disconnect it."),
    Status.DEREFERENCED: marked("It has left the catalogue, and was disconnected from everybody."),
}


@dataclass(frozen=True)
class Effect:
    """listed: in the public list · pairs: patients may connect it · serves: its tokens open something"""

    listed: bool
    pairs: bool
    serves: bool


EFFECTS = {
    Status.CANDIDATE: Effect(listed=False, pairs=False, serves=False),
    Status.PRE_SERIES: Effect(listed=False, pairs=True, serves=True),
    Status.ONLINE: Effect(listed=True, pairs=True, serves=True),
    Status.OFFLINE: Effect(listed=False, pairs=False, serves=True),
    Status.SUSPENDED: Effect(listed=False, pairs=False, serves=False),
    Status.DEREFERENCED: Effect(listed=False, pairs=False, serves=False),
}

FOLLOWS = {
    Status.CANDIDATE: frozenset({Status.PRE_SERIES, Status.ONLINE}),  # by approval only
    Status.PRE_SERIES: frozenset({Status.ONLINE, Status.OFFLINE, Status.SUSPENDED, Status.DEREFERENCED}),
    Status.ONLINE: frozenset({Status.OFFLINE, Status.SUSPENDED, Status.DEREFERENCED}),
    Status.OFFLINE: frozenset({Status.PRE_SERIES, Status.ONLINE, Status.SUSPENDED, Status.DEREFERENCED}),
    Status.SUSPENDED: frozenset({Status.PRE_SERIES, Status.ONLINE, Status.OFFLINE, Status.DEREFERENCED}),
    Status.DEREFERENCED: frozenset[Status](),
}
