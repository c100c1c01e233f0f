"""The journal row of a decision, in the transaction in which it was made: who, what for, how many; never a value."""

from collections.abc import Iterable
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.access.actors import Actor, App, Patient
from device_gateway.access.decisions import Decision, Deny, Permit
from device_gateway.database.pool import Row
from device_gateway.journal import Actor as Recorded
from device_gateway.journal import Event, EventName, record


async def journal_decision(
    connection: AsyncConnection[Row],
    space: UUID,
    actor: Actor,
    name: EventName,
    decision: Decision,
    *,
    resource: str,
    quantity: int | None = None,
    metrics: Iterable[str] = (),
) -> None:
    """Append to the journal of `space`, in whose scope `connection` is."""
    event = decision_event(space, actor, name, decision, resource=resource, quantity=quantity, metrics=metrics)
    await record(connection, event)


def decision_event(
    space: UUID,
    actor: Actor,
    name: EventName,
    decision: Decision,
    *,
    resource: str,
    quantity: int | None = None,
    metrics: Iterable[str] = (),
) -> Event:
    """What the journal of `space` is told.

    metrics  keys of the catalogue. The names of the purposes are kept beside their keys, as they were at the time.
    """
    details: dict[str, str | int | list[str]] = {"metrics": sorted(metrics)} if metrics else {}
    purposes = decision.purposes if isinstance(decision, Permit) else ()
    for language in ("fr", "en") if purposes else ():
        details[f"purposes_{language}"] = [purpose.name[language] for purpose in purposes]
    return Event(
        name=name,
        space=space,
        actor=_recorded(actor),
        outcome="deny" if isinstance(decision, Deny) else "permit",
        reason=decision.reason if isinstance(decision, Deny) else None,
        purpose=" ".join(purpose.key for purpose in purposes) or None,
        resource=resource,
        quantity=None if isinstance(decision, Deny) else quantity,
        details=details,
    )


def _recorded(actor: Actor) -> Recorded:
    match actor:
        case App():
            return Recorded("app", str(actor.grant.app_id), actor.grant.app_name)
        case Patient():
            return Recorded("patient", str(actor.account), actor.name)
        case _:
            return Recorded("system", actor.part)
