"""One scope as text and as a value (SMART App Launch 2.2, "Scopes for requesting FHIR Resources").

Resource scopes are ``(patient|user|system)/(Type|*).[cruds][?parameter=value&…]``. The parameters evaluated here are
``code``, ``code:in`` and ``category``: SMART makes none of them mandatory, and a scope with any other is unknown to us.
Values are comma lists of FHIR tokens (``system|code`` or a bare code); ``code:in`` also takes names of value sets.
Several parameters of one scope all have to match, the values of one parameter are alternatives.

Letters must be in the order c, r, u, d, s: SMART lets a server refuse others, so that a scope has one spelling.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal
from urllib.parse import parse_qsl, quote

Letter = Literal["c", "r", "u", "d", "s"]

LETTERS = "cruds"
V1_LETTERS = {"read": "rs", "write": "cud", "*": "cruds"}  # SMART 2.2, "Scopes: v1 to v2 mapping"
PARAMETERS = ("category", "code", "code:in")

LAUNCH = "launch"
LAUNCH_PATIENT = "launch/patient"
OFFLINE_ACCESS = "offline_access"
ONLINE_ACCESS = "online_access"
OPENID = "openid"
FHIR_USER = "fhirUser"
CONTEXT_SCOPES = frozenset({LAUNCH, LAUNCH_PATIENT, OFFLINE_ACCESS, ONLINE_ACCESS, OPENID, FHIR_USER})

URI_PREFIX = "http://smarthealthit.org/fhir/scopes/"  # SMART 2.2: a scope may be written as a URI
MAX_SCOPE_LENGTH = 2000  # characters: far above any scope that names codes one by one, below what a URL may carry

_RESOURCE_SCOPE = re.compile(
    r"(?P<level>patient|user|system)/(?P<type>[A-Z][A-Za-z]{1,63}|\*)\.(?P<letters>read|write|\*|[a-z]{1,5})"
    r"(?:\?(?P<query>[\x21\x23-\x5B\x5D-\x7E]+))?"
)
_TOKEN = re.compile(r"[\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+")  # RFC 6749 scope-token characters, without the comma


@dataclass(frozen=True, order=True)
class Constraint:
    """`parameter` must match one of `values`: sorted FHIR tokens, or names of value sets for ``code:in``."""

    parameter: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.parameter}={','.join(quote(value, safe='/:|.-_~') for value in self.values)}"


@dataclass(frozen=True, order=True)
class Scope:
    """One resource scope. `letters` in the order of the standard; all `constraints` have to match."""

    level: str
    resource_type: str
    letters: str
    constraints: tuple[Constraint, ...] = ()
    v1: bool = field(default=False, compare=False)  # asked for in the older spelling, and so answered in it

    def __str__(self) -> str:
        letters = self.letters
        if self.v1 and not self.constraints:
            letters = next((old for old, new in V1_LETTERS.items() if new == self.letters), self.letters)
        query = "&".join(map(str, self.constraints))
        return f"{self.level}/{self.resource_type}.{letters}{'?' if query else ''}{query}"


@dataclass(frozen=True)
class Scopes:
    """A parsed scope string.

    resources  resource scopes, in the order of the text
    context    the scopes of `CONTEXT_SCOPES`
    unknown    everything else, kept as text so that an answer can say what was not understood
    """

    resources: tuple[Scope, ...] = ()
    context: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        return " ".join([*sorted(self.context), *dict.fromkeys(map(str, self.resources))])

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return bool(self.resources or self.context)

    @cached_property
    def concerns_a_patient(self) -> bool:
        """Whether a token with these scopes carries a patient (SMART 2.2: any ``patient/`` scope implies it)."""
        return LAUNCH_PATIENT in self.context or any(scope.level == "patient" for scope in self.resources)

    @property
    def offline(self) -> bool:
        return OFFLINE_ACCESS in self.context

    @property
    def online(self) -> bool:
        """Whether access ends with the patient's session."""
        return ONLINE_ACCESS in self.context and not self.offline


@lru_cache(maxsize=4096)  # entries: the distinct scope strings of all apps and grants in use
def parse(text: str) -> Scopes:
    """Parse a space-separated scope string. Never raises: what is no scope of ours is listed as unknown."""
    resources: dict[str, Scope] = {}
    context: set[str] = set()
    unknown: list[str] = []
    for word in text.split():
        bare = word.removeprefix(URI_PREFIX)
        if bare in CONTEXT_SCOPES:
            context.add(bare)
        elif scope := parse_one(bare):
            resources.setdefault(str(scope), scope)
        else:
            unknown.append(word)
    return Scopes(tuple(resources.values()), frozenset(context), tuple(unknown))


def parse_one(text: str) -> Scope | None:
    """The resource scope that `text` spells, or None."""
    if len(text) > MAX_SCOPE_LENGTH or not (found := _RESOURCE_SCOPE.fullmatch(text)):
        return None
    v1 = found["letters"] in V1_LETTERS
    letters = V1_LETTERS.get(found["letters"], found["letters"])
    if "".join(letter for letter in LETTERS if letter in letters) != letters:
        return None
    constraints = _constraints(found["query"])
    if constraints is None:
        return None
    return Scope(found["level"], found["type"], letters, constraints, v1)


def _constraints(query: str | None) -> tuple[Constraint, ...] | None:
    if query is None:
        return ()
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=16)
    except ValueError:
        return None
    constraints = []
    for parameter, text in pairs:
        values = tuple(sorted(set(text.split(","))))
        if parameter not in PARAMETERS or not all(_TOKEN.fullmatch(value) for value in values):
            return None
        constraints.append(Constraint(parameter, values))
    return tuple(sorted(set(constraints)))
