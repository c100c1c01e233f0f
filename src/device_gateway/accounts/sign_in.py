"""Signing in with a password: same work and same answer whether the account exists or not."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.accounts.account import Language
from device_gateway.accounts.passwords import matches, turns
from device_gateway.accounts.sessions import open_session
from device_gateway.database.pool import AsyncPool, Row
from device_gateway.database.scoping import space_scope
from device_gateway.journal import Actor, Event, EventName, record

ACCOUNT = """SELECT id, kind, password_hash, space_id, display_name, language, not_before > now() AS early
  FROM gateway.account_for_sign_in(%s)"""
FAILED = "SELECT gateway.sign_in_failed(%s)"
NOBODY = UUID(int=0)  # counts no failure, but takes as long


@dataclass(frozen=True)
class SignedIn:
    cookie: str
    language: Language


async def sign_in(pool: AsyncPool, username: str, password: str, hours: int) -> SignedIn | None:
    """A new session of `hours`, or None: unknown account, wrong password, or too soon after wrong ones.

    Both are journalled, in the patient's space where there is one. Raises TooBusy.
    """
    async with turns.turn():  # the account is read within it: tries made together cannot overtake the throttle
        async with pool.connection() as connection:
            row = await (await connection.execute(ACCOUNT, (username.strip()[:64],))).fetchone()
        right = await matches(row.password_hash if row else None, password)
        async with pool.connection() as connection:
            if row is None or not right or row.early:
                await _refused(
                    connection, row, "waiting" if row and row.early else "password" if row else "unknown account"
                )
                return None
            async with _chain(connection, row.space_id):
                cookie = await open_session(connection, row.id, hours)
                actor = Actor(row.kind, str(row.id), row.display_name)
                await record(connection, Event(EventName.SIGNED_IN, row.space_id, actor))
            return SignedIn(cookie, row.language)


async def _refused(connection: AsyncConnection[Row], row: Row | None, reason: str) -> None:
    space = row.space_id if row else None
    actor = Actor(row.kind, str(row.id), row.display_name) if row else Actor("system")
    async with _chain(connection, space):
        if reason != "waiting":  # tries that do not count must not make the wait longer for ever
            await connection.execute(FAILED, (row.id if row else NOBODY,))
        await record(connection, Event(EventName.SIGN_IN_REFUSED, space, actor, outcome="deny", reason=reason))


def _chain(connection: AsyncConnection[Row], space: UUID | None) -> AbstractAsyncContextManager[object]:
    return connection.transaction() if space is None else space_scope(connection, space)
