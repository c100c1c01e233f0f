"""What two sets of scopes have in common: requested with registered, granted with consented, refreshed with granted."""

from collections.abc import Iterable

from app_catalog.scopes.evaluation import narrower
from app_catalog.scopes.grammar import LETTERS, Constraint, Scope, Scopes


def meet(one: Scope, other: Scope) -> Scope | None:
    """The scope that allows what both allow, or None.

    Two lists of codes, or of categories, become what they share; None when that is nothing. So a resource that has one
    code of each list is left out, although both scopes name it: the error is on the side of less. Keeps the v1 spelling
    only where the result allows all that the v1 scope asked for.
    """
    if one.level != other.level:
        return None
    if one.resource_type != other.resource_type and "*" not in {one.resource_type, other.resource_type}:
        return None
    letters = "".join(letter for letter in LETTERS if letter in one.letters and letter in other.letters)
    if not letters:
        return None
    resource_type = other.resource_type if one.resource_type == "*" else one.resource_type
    constraints = _both(one.constraints, other.constraints)
    if constraints is None:
        return None
    v1 = any(scope.v1 and scope.letters == letters for scope in (one, other))
    return Scope(one.level, resource_type, letters, constraints, v1)


def includes(wide: Scope, narrow: Scope) -> bool:
    """Whether `wide` allows all that `narrow` allows, judged by spelling: a list of codes includes its sublists."""
    return (
        wide.level == narrow.level
        and wide.resource_type in {"*", narrow.resource_type}
        and set(narrow.letters) <= set(wide.letters)
        and all(
            any(
                limit.parameter == wider.parameter and set(limit.values) <= set(wider.values)
                for limit in narrow.constraints
            )
            for wider in wide.constraints
        )
    )


def normal_form(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Sorted, without scopes that another one includes."""
    kept: list[Scope] = []
    for scope in sorted(_distinct(scopes)):
        if any(includes(other, scope) for other in kept):
            continue
        kept = [other for other in kept if not includes(scope, other)]
        kept.append(scope)
    return tuple(sorted(kept))


def narrow(wanted: Scopes, allowed: Scopes) -> Scopes:
    """What of `wanted` is inside `allowed`, in normal form; unknown scopes are gone.

    Context scopes are kept where both name them.
    """
    pairs = (meet(one, other) for one in wanted.resources for other in allowed.resources)
    return Scopes(normal_form(scope for scope in pairs if scope), wanted.context & allowed.context)


def union(several: Iterable[Scopes]) -> Scopes:
    """All of them together, in normal form."""
    listed = list(several)
    return Scopes(
        normal_form(scope for scopes in listed for scope in scopes.resources),
        frozenset().union(*(scopes.context for scopes in listed)),
    )


def is_within(wanted: Scopes, granted: Scopes) -> bool:
    """Whether `wanted` asks for nothing that `granted` does not name (RFC 6749 §6)."""
    return (
        not wanted.unknown
        and wanted.context <= granted.context
        and all(any(includes(wide, scope) for wide in granted.resources) for scope in wanted.resources)
    )


def _distinct(scopes: Iterable[Scope]) -> set[Scope]:
    """Without repetitions; of two spellings of one scope the v1 one stays."""
    listed = list(scopes)
    return {scope for scope in listed if scope.v1} | set(listed)


def _both(one: tuple[Constraint, ...], other: tuple[Constraint, ...]) -> tuple[Constraint, ...] | None:
    kept = {*one, *other}
    for parameter in ("code", "category"):
        ours = [constraint for constraint in one if constraint.parameter == parameter]
        theirs = [constraint for constraint in other if constraint.parameter == parameter]
        if len(ours) == len(theirs) == 1:
            shared = {token for a in ours[0].values for b in theirs[0].values if (token := narrower(a, b))}
            if not shared:
                return None
            kept -= {*ours, *theirs}
            kept.add(Constraint(parameter, tuple(sorted(shared))))
    return tuple(sorted(kept))
