"""What is served: the types behind the one table that routes requests and writes the CapabilityStatement."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from psycopg import AsyncConnection

from device_gateway.access import App, Decision, journal_decision
from device_gateway.database.pool import Row
from device_gateway.errors import GatewayError
from device_gateway.fhir.outcome import outcome_of
from device_gateway.journal import EventName

ParameterType = Literal["token", "reference", "date", "number", "string", "special"]
R4: Final = "http://hl7.org/fhir/SearchParameter"


@dataclass(frozen=True)
class Asking:
    """One request of an app whose token is good; `connection` is inside the scope of its patient's space.

    base_url   of the FHIR API, without a trailing slash
    decisions  those that were journalled for it
    """

    connection: AsyncConnection[Row]
    app: App
    base_url: str
    now: datetime
    decisions: list[Decision] = field(default_factory=list)

    @property
    def patient_id(self) -> str:
        """What the app knows the patient by: the pairing id."""
        return str(self.app.grant.pairing_id)

    async def journal(
        self, name: EventName, decision: Decision, *, resource: str, quantity: int, metrics: Iterable[str] = ()
    ) -> None:
        """Append `decision` to the journal of the patient."""
        self.decisions.append(decision)
        await journal_decision(
            self.connection, self.app.grant.subject, self.app, name, decision, resource=resource, quantity=quantity,
            metrics=metrics,
        )  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What goes back once the transaction is committed."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchInput:
    """Parameters as they came, decoded, in order. `strict`: what is not understood is an error, not left out."""

    pairs: tuple[tuple[str, str], ...]
    strict: bool = False


@dataclass(frozen=True)
class Parameter:
    """One search parameter. `modifiers` are those understood, for instance ``Patient`` in ``subject:Patient``."""

    name: str
    type: ParameterType
    documentation: str
    definition: str | None = None
    modifiers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ServedType:
    """One type of resource.

    versioned  its resources carry meta.versionId, and a read answers with an ETag
    profiles   URLs that its resources declare
    includes   values of ``_include``
    sorts      values of ``_sort``, without the sign
    """

    name: str
    documentation: str
    read: Callable[[Asking, str], Awaitable[Answer]]
    search: Callable[[Asking, SearchInput], Awaitable[Answer]]
    parameters: tuple[Parameter, ...]
    versioned: bool = False
    profiles: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    sorts: tuple[str, ...] = ()


def answer_of(error: GatewayError) -> Answer:
    """The OperationOutcome of `error`, with its status and headers."""
    return Answer(outcome_of(error).encode(), error.http_status, getattr(error, "headers", {}))
