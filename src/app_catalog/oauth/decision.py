"""One decision of Authlib: what it was given, and what it wants written.

Authlib's callbacks are given no request, so a shared server finds the decision in a context variable. It is set only
while Authlib runs, which never awaits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app_catalog.catalogue.apps import App
from app_catalog.clients.proof import Proof
from app_catalog.clients.registered import RegisteredClient
from app_catalog.consents.effect import consented_purposes, effective_scopes
from app_catalog.events import EventName
from app_catalog.scopes.grammar import Scopes
from app_catalog.wiring import CatalogueEvent, Row

Write = tuple[str, dict[str, Any]]


@dataclass
class Decision:
    """app  the client named in the request · row  the code or token presented, joined with its grant; None if unknown

    proof   by which key the client has shown who it is, None for every other way
    issue   what hands something out: written only when the answer is a success
    refresh parameters of `REFRESH`, where that hands something out
    revoke  reason why the grant of `row` ends: written whatever the answer is, and so are `always` and `events`
    tells_vendor  whether the vendor is told of that; not where its app asked for it
    """

    app: App | RegisteredClient | None
    row: Row | None
    now: datetime
    proof: Proof | None = None
    issue: list[Write] = field(default_factory=list)
    refresh: dict[str, Any] | None = None
    always: list[Write] = field(default_factory=list)
    revoke: str | None = None
    tells_vendor: bool = True
    events: list[CatalogueEvent] = field(default_factory=list)

    @property
    def presented(self) -> Row:
        """`row`, where Authlib has come so far that there is one."""
        if self.row is None:
            raise LookupError("nothing was presented")
        return self.row

    @property
    def effective_scopes(self) -> Scopes:
        """What the grant opens at this moment: what was granted, within what is consented to now."""
        return effective_scopes(self.row.grant_scope, self.row.consented) if self.row else Scopes()

    def note(
        self, name: EventName, *, reason: str | None = None, scope: str | None = None, denied: bool = False
    ) -> None:
        """Journal something about the grant of `row`, as done by its app."""
        if self.row is None:
            return
        details = {"app": self.row.app_name} | ({"scope": scope} if scope else {})
        self.events.append(
            CatalogueEvent(
                name,
                self.row.subject,
                "app",
                self.row.app_id,
                self.row.app_name,
                f"grant/{self.row.grant_id}",
                purpose=" ".join(purpose.key for purpose in consented_purposes(self.row.consented)) or None,
                outcome="deny" if denied else "permit",
                reason=reason,
                details=details,
            )
        )


_CURRENT: ContextVar[Decision] = ContextVar("decision")


def deciding() -> Decision:
    """The decision that Authlib is taking at this moment."""
    return _CURRENT.get()


@contextmanager
def decide(decision: Decision) -> Iterator[Decision]:
    """Make `decision` the current one for a synchronous block."""
    token = _CURRENT.set(decision)
    try:
        yield decision
    finally:
        _CURRENT.reset(token)
