"""What is decided about: facts of a resource, loaded before."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Action = Literal["read", "search"]


@dataclass(frozen=True)
class ObservationOf:
    """Readings of one metric (its key) in a space."""

    space: UUID
    metric: str


@dataclass(frozen=True)
class DeviceOf:
    """A device, by the metrics (keys) of its readings in a space."""

    space: UUID
    metrics: frozenset[str]


@dataclass(frozen=True)
class PatientOf:
    """Whose space it is, as an app knows them: by an id, and by nothing else."""

    space: UUID


Resource = ObservationOf | DeviceOf | PatientOf
