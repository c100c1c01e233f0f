"""Claim codes: eight characters that tie a device to a space for a few minutes. The database has their SHA-256 only."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg import AsyncConnection

from device_gateway.accounts.account import Account
from device_gateway.database.pool import Row
from device_gateway.database.scoping import space_scope
from device_gateway.errors import GatewayError
from device_gateway.journal import Event, EventName, record

# Crockford's base32: no I, L, O, U. Eight of them are 40 bits: with a limit on guesses (`guesses.py`) and minutes of
# life, nobody finds one by trying.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
READ_AS = str.maketrans("ILO", "110", "- ")  # what people take these digits for, and what they write between
NAME_LENGTH = 60  # characters of what a patient calls a device
OLDEST = timedelta(days=365 * 30)  # "mine since": a longer history than any device keeps is a slip of the pen

NEW_CODE = """INSERT INTO gateway.claim_code (hash, space_id, name, since, created_at, expires_at, replaces)
  VALUES (%s, %s, %s, %s, %s, %s, %s)"""
STATE = """SELECT c.name, c.expires_at, c.used_at, c.device_id FROM gateway.claim_code c WHERE c.created_at = %s"""


class BadDeviceName(GatewayError):
    """A device's name has 1 to 60 printable characters."""

    http_status = 422


class BadSince(GatewayError):
    """The day since which a device is yours lies in the future, or too far in the past."""

    http_status = 422


@dataclass(frozen=True)
class ClaimState:
    """What became of a code. `device` is set once it was redeemed."""

    name: str
    expires_at: datetime
    used_at: datetime | None
    device: UUID | None


def code_hash(code: str) -> bytes:
    """SHA-256 of the code as it is stored, whatever way it was typed."""
    return hashlib.sha256(code.upper().translate(READ_AS).encode()).digest()


def device_name(name: str) -> str:
    """`name` without space around it. Raises BadDeviceName."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise BadDeviceName
    return name


async def make_claim_code(  # noqa: PLR0917  # the order in which one says it
    connection: AsyncConnection[Row],
    space: UUID,
    account: Account,
    name: str,
    since: datetime,
    minutes: int,
    *,
    now: datetime | None = None,
    replaces: UUID | None = None,
) -> str:
    """A new code such as ``7K3M-Q9TX`` for one device, to be called `name`; valid for `minutes` from `now`.

    since     aware: what the device measured from then on belongs to the patient
    replaces  the edge whose place the new one takes
    Raises BadDeviceName or BadSince.
    """
    name = device_name(name)
    now = now or datetime.now(UTC)
    if since > now or since < now - OLDEST:
        raise BadSince
    code = new_code()
    async with space_scope(connection, space):
        until = now + timedelta(minutes=minutes)
        await connection.execute(NEW_CODE, (code_hash(code), space, name, since, now, until, replaces))
        await record(connection, Event(EventName.CLAIM_CODE_MADE, space, account.actor, details={"device": name}))
    return code


def new_code() -> str:
    """Such as ``7K3M-Q9TX``, never made before in all likelihood."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return f"{code[:4]}-{code[4:]}"


async def claim_state(connection: AsyncConnection[Row], space: UUID, created_at: datetime) -> ClaimState | None:
    """What became of the code that was made at that very instant in `space`."""
    async with space_scope(connection, space):
        row = await (await connection.execute(STATE, (created_at,))).fetchone()
    return ClaimState(row.name, row.expires_at, row.used_at, row.device_id) if row else None
