"""Passwords: argon2id, computed in threads, only a few at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from device_gateway.accounts.account import BadAccount
from device_gateway.errors import GatewayError

MIN_LENGTH = 12  # characters: CNIL deliberation 2022-100 without a second factor; 64 and more must be possible (NIST)
MAX_LENGTH = 256  # characters: what is longer only costs time
AT_ONCE = 2  # hashes computed together: each takes 64 MiB and a core for a tenth of a second
MAX_WAITING = 64  # sign-ins in the queue: about five seconds of work; the next one is told to come back

_HASHER = PasswordHasher()  # argon2id, RFC 9106's low-memory parameters


class TooBusy(GatewayError):
    """Too many people are signing in at this moment: try again in a few seconds."""

    http_status = 503


class _Turns:
    """The queue for hashing; one per event loop, made when it is first needed."""

    def __init__(self) -> None:
        self.waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._free, self.waiting = loop, asyncio.Semaphore(AT_ONCE), 0
        if self.waiting >= MAX_WAITING:
            raise TooBusy
        self.waiting += 1
        try:
            async with self._free:
                yield
        finally:
            self.waiting -= 1


turns = _Turns()


@cache
def nobodys_hash() -> str:
    """What an unknown user's password is compared with, so that it takes as long as a known user's."""
    return _HASHER.hash("nobody")


def hash_password(password: str) -> str:
    """Encoded argon2id hash. Raises BadAccount for a password that is too short or too long."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise BadAccount(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")
    return _HASHER.hash(password)


async def matches(stored: str | None, password: str) -> bool:
    """Whether `password` is the one whose hash is `stored`; for None it takes as long, and is false.

    Run it within `turns.turn()`.
    """
    return len(password) <= MAX_LENGTH and await asyncio.to_thread(_matches, stored, password)


def _matches(stored: str | None, password: str) -> bool:
    try:
        return _HASHER.verify(stored or nobodys_hash(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False
