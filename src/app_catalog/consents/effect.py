"""What is left of a granted scope under the consents of this moment."""

import json
from dataclasses import dataclass
from functools import lru_cache

from app_catalog.scopes.grammar import Scope, Scopes, parse
from app_catalog.scopes.narrowing import narrow, union
from app_catalog.wiring import Texts

KEPT = 4096  # of each cache: one per distinct grant and choice of purposes, of which apps have few


@dataclass(frozen=True)
class ConsentedPurpose:
    """A purpose that the patient agrees to now, with the scopes that it opens."""

    key: str
    name: Texts
    scopes: tuple[Scope, ...]


@lru_cache(maxsize=KEPT)
def consented_purposes(consented: str) -> tuple[ConsentedPurpose, ...]:
    """What `catalogue.grant_at` lists as JSON, read. The same text is the same purposes: no state is kept here."""
    return tuple(
        ConsentedPurpose(entry["key"], {"fr": entry["fr"], "en": entry["en"]}, parse(entry["scope"]).resources)
        for entry in json.loads(consented)
    )


@lru_cache(maxsize=KEPT)
def effective_scopes(granted: str, consented: str) -> Scopes:
    """`granted` within the scopes of the purposes `consented`, as `catalogue.grant_at` lists them.

    Context scopes (a launch, offline access) belong to no purpose and stay.
    """
    wanted = parse(granted)
    opened = union(Scopes(purpose.scopes) for purpose in consented_purposes(consented))
    return narrow(wanted, Scopes(opened.resources, wanted.context))
