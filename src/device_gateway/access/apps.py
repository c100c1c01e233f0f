"""What an app may do: its token is good, the patient agrees to a purpose that covers it, and the scope does as well.

The checks run in the order of the tuple; the first that refuses decides. That a suspended app, a revoked grant or an
expired token opens nothing is the catalogue's finding: `AppGrant.refusal`.
"""

from collections.abc import Callable
from typing import Final, Literal

from app_catalog import AppGrant, ConsentedPurpose, Scope, covers
from device_gateway.access.decisions import NO_CONSENT, NO_SCOPE, NOT_REFERENCED, OTHER_SPACE, Decision, Deny, Permit
from device_gateway.access.resources import Action, DeviceOf, ObservationOf, PatientOf, Resource
from device_gateway.metrics import METRICS

LETTERS: Final[dict[Action, Literal["r", "s"]]] = {"read": "r", "search": "s"}  # SMART 2.2: r reads one, s searches
CATEGORY_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
# Scopes that tell an app who the patient is (SMART 2.2, "fhirUser", "launch/patient").
IDENTITY: Final = frozenset({"fhirUser", "launch/patient"})
VITAL_SIGNS: Final = "vital-signs"
# Names that a scope may use in ``code:in``: each metric by its key.
VALUE_SETS: Final = {key: frozenset({f"{metric.system}|{metric.code}"}) for key, metric in METRICS.items()}

Check = Callable[[AppGrant, Action, Resource], Deny | None]


def decide_for_app(grant: AppGrant, action: Action, resource: Resource) -> Decision:
    for check in CHECKS:
        if refusal := check(grant, action, resource):
            return refusal
    return Permit(_purposes(grant, action, resource))


def categories_of(metric: str) -> tuple[str, ...]:
    """Categories (codes) of the readings of a metric: vital signs as the French guide has them all, and its own."""
    return tuple(dict.fromkeys((VITAL_SIGNS, METRICS[metric].category)))


def _token_good(grant: AppGrant, _action: Action, _resource: Resource) -> Deny | None:
    return Deny(grant.refusal, unauthorised=True) if grant.refusal is not None else None


def _own_patient(grant: AppGrant, _action: Action, resource: Resource) -> Deny | None:
    return None if grant.subject == resource.space else Deny(OTHER_SPACE)


def _consented(grant: AppGrant, action: Action, resource: Resource) -> Deny | None:
    return None if _purposes(grant, action, resource) else Deny(NO_CONSENT)


def _in_scope(grant: AppGrant, action: Action, resource: Resource) -> Deny | None:
    if isinstance(resource, PatientOf) and grant.context & IDENTITY:
        return None
    return None if _covered(grant.scopes, action, resource) else Deny(NO_SCOPE)


def _referenced(grant: AppGrant, _action: Action, resource: Resource) -> Deny | None:
    """A device is seen through a reading that may be read, and not otherwise: its kind alone tells of an illness."""
    if not isinstance(resource, DeviceOf):
        return None
    for metric in resource.metrics:
        seen = ObservationOf(resource.space, metric)
        if any(isinstance(decide_for_app(grant, action, seen), Permit) for action in LETTERS):
            return None
    return Deny(NOT_REFERENCED)


CHECKS: Final[tuple[Check, ...]] = (_token_good, _own_patient, _consented, _in_scope, _referenced)


def _purposes(grant: AppGrant, action: Action, resource: Resource) -> tuple[ConsentedPurpose, ...]:
    if isinstance(resource, PatientOf):
        return grant.consented  # an id that the app was told with its token: no purpose is about it
    return tuple(purpose for purpose in grant.consented if _covered(purpose.scopes, action, resource))


def _covered(scopes: tuple[Scope, ...], action: Action, resource: Resource) -> bool:
    if isinstance(resource, DeviceOf | PatientOf):
        return covers(scopes, "Device" if isinstance(resource, DeviceOf) else "Patient", LETTERS[action])
    metric = METRICS[resource.metric]
    return covers(
        scopes,
        "Observation",
        LETTERS[action],
        codes=(f"{metric.system}|{metric.code}",),
        categories=[f"{CATEGORY_SYSTEM}|{category}" for category in categories_of(resource.metric)],
        value_sets=VALUE_SETS,
    )
