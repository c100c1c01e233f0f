"""The vocabulary: events are named source:subject:action, and say how many, never which values."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal
from uuid import UUID


class EventName(StrEnum):
    """Events of the data plane. The catalogue names its own, in the same grammar."""

    SIGNED_IN = "portal:session:open"
    SIGN_IN_REFUSED = "portal:session:refuse"
    SIGNED_OUT = "portal:session:close"
    PASSWORD_CHANGED = "portal:password:change"  # noqa: S105  # the name of an event
    CLAIM_CODE_MADE = "portal:claim_code:create"
    DEVICE_CLAIMED = "device:claim_code:redeem"
    DEVICE_RELEASED = "portal:device:release"
    CREDENTIALS_RENEWED = "portal:credential:renew"
    CERTIFICATE_RENEWED = "device:certificate:renew"
    BOND_HANDED_ON = "device:bond:restore"
    BOND_ERASED = "portal:bond:erase"
    EDGE_REPLACED = "device:edge:replace"
    DEVICE_USER_MAPPED = "portal:device_user:map"
    DEVICE_USER_INVITED = "portal:device_user:invite"
    DEVICE_USER_JOINED = "portal:device_user:join"
    DEVICE_USER_CODE_USED = "portal:device_user:use"
    DEVICE_USER_ENDED = "portal:device_user:end"
    DEVICE_USER_LEFT = "portal:device_user:leave"
    INBOX_ACCEPTED = "portal:inbox:accept"
    INBOX_DISCARDED = "portal:inbox:discard"
    INBOX_EXPIRED = "system:inbox:expire"
    DEVICE_SYNCED = "device:reading:store"
    IMPORT_BEGUN = "import:file:begin"
    IMPORT_DONE = "import:file:finish"
    QUARANTINE_SEEN = "portal:quarantine:read"
    QUARANTINE_REPLAYED = "portal:quarantine:replay"
    SENSOR_START_ASKED = "portal:sensor:start"
    SENSOR_WAITS = "device:sensor:wait"
    SENSOR_WARMS_UP = "device:sensor:warm_up"
    SENSOR_MEASURES = "device:sensor:measure"
    SENSOR_EXPIRED = "device:sensor:expire"
    SENSOR_ENDED = "device:sensor:end"
    SENSOR_NOT_STARTED = "device:sensor:refuse"
    BIND_KEY_WRONG = "device:bind_key:refuse"
    CONSENT_WANTED = "device:consent:refuse"
    READINGS_MISSING = "device:reading:miss"
    READINGS_SEEN = "portal:reading:read"
    APP_SEARCHED_OBSERVATIONS = "app:observation:search"
    APP_READ_OBSERVATION = "app:observation:read"
    APP_SEARCHED_DEVICES = "app:device:search"
    APP_READ_DEVICE = "app:device:read"
    APP_READ_PATIENT = "app:patient:read"
    APP_REFUSED = "app:request:refuse"


ActorKind = Literal["patient", "professional", "app", "device", "system", "reviewer", "vendor", "operator"]


@dataclass(frozen=True)
class Actor:
    kind: ActorKind
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Event:
    """One row to be. `details` may hold codes, names, counts: never a measured value, never a secret.

    space     whose journal; None for what concerns no patient
    resource  kind of thing, for instance ``Observation`` or ``Device/d.…``
    quantity  how many of them
    """

    name: str
    space: UUID | None
    actor: Actor
    outcome: Literal["permit", "deny"] = "permit"
    reason: str | None = None
    purpose: str | None = None
    resource: str | None = None
    quantity: int | None = None
    details: dict[str, str | int | list[str]] = field(default_factory=dict)
