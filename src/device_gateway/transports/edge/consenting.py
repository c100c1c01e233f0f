"""Who the edge is on a scale that tells people apart: a user that it registered once, or that its holder named."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import msgspec
import structlog

from device_gateway.readings.model import Reading
from device_gateway.readings.user_index import USER_INDEX, user_of
from device_gateway.transports.ble.adapter import RecordAdapter, UserControl
from device_gateway.transports.ble.consent import ConsentRefused, User, give_consent, register_user
from device_gateway.transports.ble.link import Link
from device_gateway.transports.ble.transfer import Batch
from device_gateway.transports.edge.consents import Consents

CODES = 10_000  # User Data Service 1.1, 3.2.2: four digits

AskUser = Callable[[], Awaitable[User | None]]

_log = structlog.get_logger(__name__)


async def each_user(
    link: Link, adapter: RecordAdapter, consents: Consents, address: str, ask: AskUser | None = None
) -> AsyncIterator[User | None]:
    """Each user of this edge, once the scale has taken the consent: until the next one, what it sends is theirs.

    One None for a device that tells nobody apart. A user whom the scale does not know any more is forgotten here.
    Without any, one is registered; where the scale takes no more, `ask` is asked for one of those whom it has. Raises
    ConsentRefused.
    """
    control = adapter.users
    if control is None or not link.has(control.characteristic):
        yield None
        return
    taken = False
    for user in consents.of(address):
        try:
            await give_consent(link, control, user)
        except ConsentRefused as refused:
            _log.warning("edge.consent_refused", address=address, user=user.index, why=refused.message)
            consents.drop(address, user)
        else:
            taken = True
            yield user
    if not taken:
        yield await _new_user(link, control, consents, address, ask)


async def _new_user(link: Link, control: UserControl, consents: Consents, address: str, ask: AskUser | None) -> User:
    try:
        user = await register_user(link, control, secrets.randbelow(CODES))
        consents.add(address, user)  # before anything can go wrong: the scale has no place for one more at each try
    except ConsentRefused:
        named = None if ask is None else await ask()
        if named is None:
            raise
        user = named
    await give_consent(link, control, user)
    consents.add(address, user)
    return user


def attributed(batch: Batch, user: User | None) -> Batch:
    """The batch, its readings those of `user` where they name nobody themselves."""
    if user is None:
        return batch
    return replace(batch, readings=tuple(_of(reading, user) for reading in batch.readings))


def _of(reading: Reading, user: User) -> Reading:
    if user_of(reading.context) is not None:
        return reading
    return msgspec.structs.replace(reading, context={**(reading.context or {}), USER_INDEX: user.index})
