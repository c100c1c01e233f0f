"""What a set of scopes allows for one resource, or for one type of resource.

Codings and categories of resources are FHIR tokens with their system, ``system|code``. In a scope, a token without a
system matches any system and one with a system only itself, as in a FHIR search. Scopes are a union (SMART 2.2): one
that covers is enough.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal

from app_catalog.scopes.grammar import Constraint, Letter, Scope

ValueSets = Mapping[str, frozenset[str]]
"""FHIR tokens by the name or canonical URL of a value set, as a scope's ``code:in`` may call it."""

ALL: Final = "all"


def covers(
    scopes: Iterable[Scope],
    resource_type: str,
    letter: Letter,
    *,
    codes: Collection[str] = (),
    categories: Collection[str] = (),
    value_sets: ValueSets | None = None,
) -> bool:
    """Whether one of `scopes` allows `letter` on a resource that has these codings and categories."""
    return any(
        _names(scope, resource_type, letter)
        and all(
            any(
                _same(wanted, present)
                for wanted in accepted(constraint, value_sets or {})
                for present in (categories if constraint.parameter == "category" else codes)
            )
            for constraint in scope.constraints
        )
        for scope in scopes
    )


def allowed_codes(
    scopes: Iterable[Scope],
    resource_type: str,
    letter: Letter,
    *,
    value_sets: ValueSets | None = None,
    categories: ValueSets | None = None,
) -> frozenset[str] | Literal["all"]:
    """Codes under which `scopes` allow `letter` on `resource_type`: FHIR tokens, or `ALL` where nothing limits them.

    For resources with one coding; with several, `covers` decides. `categories` names the codes that are in a category
    (token of the category ▸ tokens of codes): a scope limited to a category that it does not name allows no code.
    """
    union: frozenset[str] = frozenset()
    for scope in scopes:
        if not _names(scope, resource_type, letter):
            continue
        if not scope.constraints:
            return ALL
        union |= _codes_of(scope, value_sets or {}, categories or {})
    return union


def accepted(constraint: Constraint, value_sets: ValueSets) -> frozenset[str]:
    """The FHIR tokens that satisfy `constraint`. A ``code:in`` value that names no value set is a token itself."""
    if constraint.parameter != "code:in":
        return frozenset(constraint.values)
    return frozenset().union(*(value_sets.get(value, frozenset({value})) for value in constraint.values))


def narrower(one: str, other: str) -> str | None:
    """The FHIR token that means what both mean, or None: of ``system|code`` and ``code`` the one with the system."""
    if _same(one, other):
        return other
    return one if _same(other, one) else None


def _names(scope: Scope, resource_type: str, letter: Letter) -> bool:
    return scope.resource_type in {"*", resource_type} and letter in scope.letters


def _codes_of(scope: Scope, value_sets: ValueSets, categories: ValueSets) -> frozenset[str]:
    sets = []
    for constraint in scope.constraints:
        tokens = accepted(constraint, value_sets)
        if constraint.parameter == "category":
            tokens = frozenset().union(
                *(codes for name, codes in categories.items() if any(_same(token, name) for token in tokens))
            )
        sets.append(tokens)
    common, *others = sets
    for other in others:
        common = frozenset(token for a in common for b in other if (token := narrower(a, b)))
    return common


def _same(wanted: str, present: str) -> bool:
    return wanted == present or ("|" not in wanted and wanted == present.rpartition("|")[2])
