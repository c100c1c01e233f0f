"""What a vendor submits, checked once and as a whole."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from app_catalog.applications import published
from app_catalog.applications.published import Published
from app_catalog.applications.redirect_uri import fault_of
from app_catalog.errors import Fault, Unacceptable
from app_catalog.oauth.algorithms import ALGORITHMS
from app_catalog.oauth.profiles import PROFILES
from app_catalog.scopes.grammar import parse
from app_catalog.wiring import Texts
from app_catalog.words import marked

READING, WRITING = frozenset("rs"), frozenset("cud")
WRONG_LETTERS = {
    READING: marked("A scope for reading has the letters r and s only."),
    WRITING: marked("A scope for writing has the letters c, u and d only."),
}
LANGUAGES = ("fr", "en")
MAX_REDIRECT_URIS = 10
MAX_PURPOSES = 20  # what a patient can still be asked to read
MAX_RETENTION_DAYS = 20 * 366  # a vendor that keeps data longer has left the time of care that consent is given for

_KEY = re.compile(r"[a-z][a-z0-9-]{0,39}")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]")


@dataclass(frozen=True)
class PurposeDraft:
    """A purpose as submitted. `read_scope` and `write_scope` are SMART scope strings, either may be empty;
    `justification` says to reviewers why the app needs this."""

    key: str
    name: Texts
    wording: Texts
    required: bool
    retention_days: int
    read_scope: str = ""
    write_scope: str = ""
    justification: str = ""


@dataclass(frozen=True)
class Application:
    """An app's description as submitted.

    profile                       a key of `PROFILES`
    launch_uri                    where the portal opens the app; None: it does not
    id_token_signed_response_alg  how its id tokens are signed, one of `ALGORITHMS`
    exchanges_data                whether it connects with the health space; if not, it has no client and no purpose
    changes                       what is new in this version, for patients
    """

    name: str
    description: Texts
    profile: str
    redirect_uris: tuple[str, ...]
    purposes: tuple[PurposeDraft, ...]
    launch_uri: str | None = None
    id_token_signed_response_alg: str = ALGORITHMS[0]
    exchanges_data: bool = True
    published: Published = field(default_factory=Published)
    changes: Texts = field(default_factory=dict)


def check(application: Application) -> None:
    """Raises Unacceptable with everything that the vendor has to change."""
    if faults := list(faults_of(application)):
        raise Unacceptable(*faults)


def faults_of(application: Application, *, follows: bool = False) -> Iterator[Fault]:
    """Everything that the vendor has to change. `follows`: another version is in force, so that this one has to say
    what is new in it."""
    yield from _text("/name", application.name, 80)
    yield from _texts("/description", application.description, 2000)
    if follows:
        yield from _texts("/changes", application.changes, 2000)
    yield from published.faults_of(application.published)
    if application.exchanges_data:
        yield from _client(application)
        yield from _purposes(application.purposes)


def _client(application: Application) -> Iterator[Fault]:
    if application.profile not in PROFILES:
        yield Fault("/profile", "Choose one of the profiles.")
    yield from _redirect_uris(application.redirect_uris)
    if application.launch_uri is not None and (fault := fault_of(application.launch_uri)):
        yield Fault("/launch_uri", fault)
    if application.id_token_signed_response_alg not in ALGORITHMS:
        yield Fault("/id_token_signed_response_alg", "Choose one of the algorithms.")


def _purposes(purposes: tuple[PurposeDraft, ...]) -> Iterator[Fault]:
    if not 1 <= len(purposes) <= MAX_PURPOSES:
        yield Fault("/purposes", "An app has between 1 and 20 purposes.")
    keys = [purpose.key for purpose in purposes]
    for number, purpose in enumerate(purposes):
        if keys.index(purpose.key) != number:
            yield Fault(f"/purposes/{number}/key", "Two purposes have the same key.")
        yield from _purpose(f"/purposes/{number}", purpose)


def _redirect_uris(uris: tuple[str, ...]) -> Iterator[Fault]:
    if not 1 <= len(uris) <= MAX_REDIRECT_URIS:
        yield Fault("/redirect_uris", "An app has between 1 and 10 redirect URIs.")
    for number, uri in enumerate(uris):
        if fault := fault_of(uri):
            yield Fault(f"/redirect_uris/{number}", fault)


def _purpose(pointer: str, purpose: PurposeDraft) -> Iterator[Fault]:
    if not _KEY.fullmatch(purpose.key):
        yield Fault(f"{pointer}/key", "A key has lower-case letters, digits and hyphens, and begins with a letter.")
    yield from _texts(f"{pointer}/name", purpose.name, 120)
    yield from _texts(f"{pointer}/wording", purpose.wording, 2000)
    if not 1 <= purpose.retention_days <= MAX_RETENTION_DAYS:
        yield Fault(f"{pointer}/retention_days", "Say for how many days the data is kept, 20 years at most.")
    yield from _scopes(f"{pointer}/read_scope", purpose.read_scope, READING)
    yield from _scopes(f"{pointer}/write_scope", purpose.write_scope, WRITING)
    if not purpose.read_scope.strip() and not purpose.write_scope.strip():
        yield Fault(f"{pointer}/read_scope", "A purpose reads or writes something.")
    yield from _text(f"{pointer}/justification", purpose.justification, 2000)


def _scopes(pointer: str, text: str, letters: frozenset[str]) -> Iterator[Fault]:
    scopes = parse(text)
    if scopes.unknown or scopes.context:
        yield Fault(pointer, "These are not SMART scopes for resources.")
    for scope in scopes.resources:
        if scope.level != "patient":
            yield Fault(pointer, "Only scopes that begin with patient/ can be granted.")
        if not set(scope.letters) <= letters:
            yield Fault(pointer, WRONG_LETTERS[letters])


def _texts(pointer: str, texts: Texts, limit: int) -> Iterator[Fault]:
    for language in LANGUAGES:
        yield from _text(f"{pointer}/{language}", texts.get(language, ""), limit)


def _text(pointer: str, text: str, limit: int) -> Iterator[Fault]:
    if not text.strip():
        yield Fault(pointer, "This is needed.")
    elif len(text) > limit or _UNPRINTABLE.search(text):
        yield Fault(pointer, "This is too long, or has characters that cannot be shown.")
