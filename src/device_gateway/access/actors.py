"""Who asks. An actor carries the facts that a decision about it needs, loaded before."""

from dataclasses import dataclass
from uuid import UUID

from app_catalog import AppGrant


@dataclass(frozen=True)
class Patient:
    """The person whose space it is, signed in to the portal."""

    space: UUID
    account: UUID
    name: str


@dataclass(frozen=True)
class App:
    """An approved app with an access token: what the patient granted it, as it is at this moment."""

    grant: AppGrant


@dataclass(frozen=True)
class System:
    """A part of the product at work for the space, for instance a roll-up."""

    part: str


Actor = Patient | App | System
