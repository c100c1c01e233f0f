"""What the catalogue is handed by the product that it serves: who is signed in, where to journal, whose data it is.

Accounts and spaces cross this border as UUIDs. Whoever implements these Protocols runs inside the caller's connection,
and so inside its transaction.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.brand import Brand
from app_catalog.clients.certificate import CertificateHeader
from app_catalog.clients.published_keys import PublishedKeys
from app_catalog.clients.rate import Rates
from app_catalog.scopes.evaluation import ValueSets
from app_catalog.scopes.grammar import (
    FHIR_USER,
    LAUNCH,
    LAUNCH_PATIENT,
    OFFLINE_ACCESS,
    ONLINE_ACCESS,
    OPENID,
    Scope,
)

Row = Any  # named tuples whose fields depend on the query
Connection = AsyncConnection[Row]
Pool = AsyncConnectionPool[Connection]
Language = Literal["fr", "en"]
Texts = Mapping[str, str]
"""One text per language, keys ``fr`` and ``en``."""


@dataclass(frozen=True)
class SignIn:
    """The session that a request came with. `key` names it, and opens nothing."""

    key: bytes
    since: datetime
    until: datetime


class Person(Protocol):
    """Who is signed in. `subject` is the space of a patient, None for everyone else."""

    @property
    def id(self) -> UUID: ...
    @property
    def kind(self) -> str:
        """``patient``, ``professional``, ``reviewer``, ``vendor`` or ``operator``."""
        ...

    @property
    def subject(self) -> UUID | None: ...
    @property
    def display_name(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def zone(self) -> str:
        """IANA time zone in which this person's days begin."""
        ...

    @property
    def csrf_token(self) -> str: ...


@dataclass(frozen=True)
class CatalogueEvent:
    """What the journal is told. No health value and no secret is ever in it.

    name        ``source:subject:action``, one of `app_catalog.events.EventName`
    subject     the space concerned, None for the life of an app
    actor_kind  ``app``, ``system`` or the kind of a person; `actor_id` is the app's or the person's id
    purpose     keys of the purposes concerned, separated by spaces
    resource    what was acted on, for instance ``app/<id>``
    reason      why it was refused, revoked or decided so
    """

    name: str
    subject: UUID | None
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    resource: str
    purpose: str | None = None
    count: int | None = None
    outcome: Literal["permit", "deny"] = "permit"
    reason: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A function of the database that opens the space it works in, and returns one row where it did its work and none
    where it did nothing.

    types  of its parameters by name, in their order
    """

    function: str
    types: Mapping[str, str]

    @property
    def sql(self) -> str:
        """The call, with its parameters by name."""
        return f"{self.function}({', '.join(f'%({name})s' for name in self.types)})"


class Journal(Protocol):
    async def write(self, connection: Connection, event: CatalogueEvent) -> None:
        """Record `event` in the transaction of `connection`. `app.space` is the event's subject, where it has one."""

    async def write_each_with(
        self, connection: Connection, call: Call, done: Sequence[tuple[CatalogueEvent, Mapping[str, Any]]]
    ) -> list[bool]:
        """Call `call` with each of the parameters and record the event beside them, in order and in one statement:
        all of it or, where that raises, nothing. False where a call did nothing: nothing is recorded then."""
        ...


@dataclass(frozen=True)
class EndedGrant:
    """A grant that was revoked in this transaction: what depends on it ends with it."""

    grant_id: UUID
    pairing_id: UUID
    app_id: UUID
    subject: UUID
    reason: str


class DataPlane(Protocol):
    async def on_revoked(self, connection: Connection, grant: EndedGrant) -> None:
        """End the app's subscriptions and whatever else lives on `grant`, in the transaction of `connection`."""

    def describe(self, scope: Scope) -> Texts:
        """What `scope` opens, in plain words that follow "read:" or "write:"."""
        ...


class Mail(Protocol):
    async def send(self, connection: Connection, to: str, subject: str, text: str) -> None:
        """A mail to the one address `to`, once the transaction of `connection` has committed, and only then. `text` is
        plain, and may hold a link that opens something: it is in no log."""


@dataclass(frozen=True)
class Choice:
    """Data that a purpose may be about, for a vendor to tick. A scope is None where it cannot be read, or written.

    categories  FHIR tokens of the categories that its resources have
    """

    key: str
    names: Texts
    read_scope: str | None
    write_scope: str | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class SimulatedPatient:
    """A patient who does not exist: the space, and the account to sign in with. The password is kept nowhere."""

    subject: UUID
    username: str
    password: str = field(repr=False)


class Sandbox(Protocol):
    """Spaces of simulated patients. Each method works in the transaction of `connection`."""

    async def open(self, connection: Connection, name: str, language: Language) -> SimulatedPatient:
        """A new space, whose days of simulated readings are there a few seconds after the transaction."""
        ...

    async def reset(self, connection: Connection, subject: UUID) -> None:
        """Forget its readings, and simulate its days anew, up to now."""

    async def end(self, connection: Connection, subject: UUID) -> None:
        """Forget its readings and its account, for good."""

    async def last_used(self, connection: Connection, subject: UUID) -> datetime | None:
        """When somebody signed in as it, or an app acted in its space, the last time; None for never."""
        ...


def _in(language: str, fields: Mapping[str, str | Texts]) -> Texts:
    return {name: value if isinstance(value, str) else value[language] for name, value in fields.items()}


@dataclass(frozen=True)
class PatientLetter:
    """A letter in every language of ours; the patient gets it in one."""

    subject: Texts
    text: Texts

    def filled(self, **fields: str | Texts) -> "PatientLetter":
        """With `fields` in the places of their names; one in several languages, in that of the text around it."""

        def filled(texts: Texts) -> Texts:
            return {language: words.format(**_in(language, fields)) for language, words in texts.items()}

        return PatientLetter(filled(self.subject), filled(self.text))


class Patients(Protocol):
    """The people whose spaces they are, for what they are told without being signed in."""

    async def zone(self, connection: Connection, subject: UUID) -> str:
        """IANA time zone in which the patient's days begin. `app.space` is `subject`."""
        ...

    async def write(self, connection: Connection, subject: UUID, letter: PatientLetter) -> None:
        """Send `letter` in the patient's language, once the transaction has committed, if there is an address that is
        known to be the patient's: what it says is shown in the portal as well. `app.space` is `subject`."""


class Render(Protocol):
    def __call__(self, request: Request, template: str, context: Mapping[str, Any], /) -> Response:
        """A page from one of our templates, in the host's Jinja environment and layout. Its filters ``day`` and
        ``moment`` say a time as the reader does, its global ``colon`` is theirs."""
        ...


@dataclass(frozen=True)
class Wiring:
    """Everything that the routes need.

    pool             autocommit, role assumed, rows as named tuples
    issuer           public URL of the authorization server, without a trailing slash
    fhir_url         base URL of the data that tokens open
    signed_in        who is signed in with this request
    login_url        where to sign in, to come back to the path given
    language         language of a request, for a visitor who is not signed in as well
    mail             how people are written to
    sandbox          spaces of simulated patients
    clock            now, aware of its zone
    value_sets       FHIR tokens by the names that scopes may use in ``code:in``
    resource_scopes  scopes that the data plane serves, for the discovery documents
    choices          data that purposes may be about
    management_url   where a patient sees and ends what apps may do
    brand            the organisation that this server speaks for; none: no User-access Brands are published
    certificates     where the TLS certificate of a client comes from
    published_keys   keys that clients publish under a URI, as far as they are held
    master_key       what secrets are sealed with in the database; without one OpenID Connect is not offered
    rates            how often each client is served
    session          the sign-in of a request; what ends with a session is not offered where it is not known
    review_quorum    evaluations that an opinion on an application needs, two at least
    sandbox_days     after which a simulated patient that nobody uses ends
    """

    pool: Pool
    issuer: str
    fhir_url: str
    signed_in: Callable[[Request], Awaitable[Person | None]]
    login_url: Callable[[str], str]
    render: Render
    language: Callable[[Request], str]
    journal: Journal
    data_plane: DataPlane
    mail: Mail
    sandbox: Sandbox
    clock: Callable[[], datetime]
    value_sets: ValueSets = field(default_factory=dict)
    resource_scopes: tuple[str, ...] = ("patient/Observation.rs", "patient/Device.rs")
    choices: tuple[Choice, ...] = ()
    management_url: str | None = None
    brand: Brand | None = None
    certificates: CertificateHeader = field(default_factory=CertificateHeader)
    published_keys: PublishedKeys = field(default_factory=PublishedKeys)
    master_key: bytes | None = field(default=None, repr=False)
    rates: Rates = field(default_factory=Rates)
    session: Callable[[Request], SignIn | None] = lambda _request: None
    review_quorum: int = 2
    sandbox_days: int = 90

    @property
    def context_scopes(self) -> frozenset[str]:
        """The scopes for context and identity that can be granted here."""
        identity = {OPENID, FHIR_USER} if self.master_key is not None else set()
        return frozenset({LAUNCH, LAUNCH_PATIENT, OFFLINE_ACCESS, ONLINE_ACCESS} | identity)
