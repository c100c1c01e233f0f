"""The decision point. Pure: everything it looks at was loaded before, and whoever asks journals the answer."""

from device_gateway.access.actors import Actor, App, Patient, System
from device_gateway.access.apps import decide_for_app
from device_gateway.access.decisions import OTHER_SPACE, Decision, Deny, Permit
from device_gateway.access.resources import Action, ObservationOf, Resource
from device_gateway.metrics import METRICS


def decide(actor: Actor, action: Action, resource: Resource) -> Decision:
    """Whether `actor` may do `action` to `resource`."""
    match actor:
        case System():
            return Permit()
        case Patient():
            return Permit() if actor.space == resource.space else Deny(OTHER_SPACE)
        case App():
            return decide_for_app(actor.grant, action, resource)


def readable_metrics(actor: App | Patient, action: Action = "search") -> frozenset[str]:
    """Keys of the metrics whose readings `actor` may see in its space: what a query is narrowed to."""
    space = actor.grant.subject if isinstance(actor, App) else actor.space
    return frozenset(key for key in METRICS if isinstance(decide(actor, action, ObservationOf(space, key)), Permit))
