"""Who does something to an app: a person, or nobody but the passing of time."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


class Actor(Protocol):
    """A `Person` is one."""

    @property
    def id(self) -> UUID | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def display_name(self) -> str: ...


@dataclass(frozen=True)
class System:
    """What happens by itself, because a date was reached."""

    id: None = None
    kind: str = "system"
    display_name: str = ""


SYSTEM = System()
