"""Who is signed in, and what may be said of an account."""

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args
from urllib.parse import quote
from uuid import UUID
from zoneinfo import available_timezones

from device_gateway.errors import GatewayError
from device_gateway.journal import Actor

Kind = Literal["patient", "professional", "reviewer", "vendor", "operator"]
Language = Literal["fr", "en"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LANGUAGES: tuple[Language, ...] = get_args(Language)
DEFAULT_ZONE = "Europe/Paris"


class BadAccount(GatewayError):
    """This account cannot be made so."""

    http_status = 422


@dataclass(frozen=True)
class Account:
    """A signed-in person.

    subject     the space of a patient, None for everybody else
    zone        IANA zone of that space; Europe/Paris for an account without one
    csrf_token  of the session: every form carries it back. Empty for an account without a session
    simulated   a patient who does not exist, in whose space vendors try their apps
    """

    id: UUID
    kind: Kind
    subject: UUID | None
    display_name: str
    language: Language
    csrf_token: str
    zone: str = DEFAULT_ZONE
    simulated: bool = False

    @property
    def actor(self) -> Actor:
        """How the journal names this person."""
        return Actor(self.kind, str(self.id), self.display_name)


@cache
def zones() -> frozenset[str]:
    """IANA time zones with a place in them, and UTC: "GMT+4" and the like shift a patient's days.

    Kept, for finding them reads the whole time zone database.
    """
    return frozenset(
        name for name in available_timezones() if name == "UTC" or ("/" in name and not name.startswith("Etc/"))
    )


def is_zone(name: str) -> bool:
    return name in zones()


def login_url(path: str) -> str:
    """Where to sign in, to come back to `path` of ours."""
    return f"/login?next={quote(path, safe='')}"


def own_path(path: str | None, default: str = "/") -> str:
    """`path` if it stays on this site, otherwise `default`.

    Browsers drop tabs and newlines and read a backslash as a slash: ``/\\evil`` leaves the site like ``//evil``.
    """
    if not path or not path.startswith("/") or path.startswith("//"):
        return default
    if any(character == "\\" or not character.isprintable() or character.isspace() for character in path):
        return default
    return path
