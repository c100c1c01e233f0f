"""A new password: asked for the old one, ends every other session, access keys, and what apps were allowed under it."""

import asyncio

from starlette.requests import Request

from app_catalog import end_keys_of_person, on_password_changed
from device_gateway.accounts.account import Account, BadAccount
from device_gateway.accounts.passwords import hash_password, matches, turns
from device_gateway.accounts.sessions import session_hash
from device_gateway.database.scoping import enter_space
from device_gateway.errors import NotSignedIn
from device_gateway.journal import Event, EventName, record
from device_gateway.state import pool_of, wiring_of

ACCOUNT_OF_SESSION = "SELECT id, password_hash, not_before > now() AS early FROM gateway.account_of_session(%s)"
FAILED = "SELECT gateway.sign_in_failed(%s)"
SET_PASSWORD = "SELECT gateway.account_set_password(%s, %s)"  # noqa: S105  # a query


class WrongPassword(BadAccount):
    """The current password is not right, or there were too many wrong ones: wait a while and try again."""


async def change_password(request: Request, account: Account, current: str, new: str) -> None:
    """Raises WrongPassword, or BadAccount for a new password that is too short or too long."""
    digest = session_hash(request)
    async with turns.turn():
        async with pool_of(request).connection() as connection:
            row = await (await connection.execute(ACCOUNT_OF_SESSION, (digest,))).fetchone()
        if row is None:
            raise NotSignedIn
        right = await matches(row.password_hash, current)
        if not right or row.early:
            async with pool_of(request).connection() as connection:
                await connection.execute(FAILED, (row.id,))
            raise WrongPassword
        hashed = await asyncio.to_thread(hash_password, new)
    wiring = wiring_of(request)
    async with pool_of(request).connection() as connection, connection.transaction():
        await connection.execute(SET_PASSWORD, (digest, hashed))
        await on_password_changed(connection, account.id, wiring.journal, wiring.data_plane)
        await end_keys_of_person(connection, account, wiring.journal, wiring.clock())
        if account.subject:
            await enter_space(connection, account.subject)
        await record(connection, Event(EventName.PASSWORD_CHANGED, account.subject, account.actor))
