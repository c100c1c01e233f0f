"""What is left of a granted scope under the consents of this moment."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from app_catalog.scopes.grammar import Scopes, parse
from app_catalog.scopes.narrowing import narrow, union


def effective_scopes(granted: str, consented: Iterable[Mapping[str, str]]) -> Scopes:
    """`granted` within the scopes of the purposes `consented`, listed as `catalogue.grant_state` does.

    Context scopes (a launch, offline access) belong to no purpose and stay.
    """
    return _effective(granted, tuple(entry["scope"] for entry in consented))


@lru_cache(maxsize=4096)  # entries: one per distinct grant and choice of purposes, of which apps have few
def _effective(granted: str, consented: tuple[str, ...]) -> Scopes:
    wanted = parse(granted)
    return narrow(wanted, Scopes(union(parse(scope) for scope in consented).resources, wanted.context))
