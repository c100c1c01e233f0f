"""The mail address of a patient for notices: used once the code that was sent there has come back. Inside the space."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from psycopg import AsyncConnection

from app_catalog import Mail
from device_gateway.accounts.account import BadAccount
from device_gateway.database.pool import Row

ADDRESS: Final = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")
MAX_LENGTH: Final = 200  # characters
DIGITS: Final = 6
GUESSES: Final = 5  # of a code: one in 200,000 finds it
CODE_LIFE: Final = timedelta(minutes=30)
BETWEEN_CODES: Final = timedelta(minutes=1)  # nobody's mailbox is flooded by way of us

STATE: Final = """SELECT notice_email, asked_email, asked_email_code, asked_email_at, asked_email_guesses, birth_date
  FROM gateway.space WHERE id = %s"""
ASK: Final = """UPDATE gateway.space SET asked_email = %s, asked_email_code = %s, asked_email_at = %s,
    asked_email_guesses = 0
  WHERE id = %s AND (asked_email_at IS NULL OR asked_email_at <= %s)"""
GUESS: Final = """UPDATE gateway.space SET asked_email_guesses = asked_email_guesses + 1
  WHERE id = %s AND asked_email_code IS NOT NULL AND asked_email_at > %s AND asked_email_guesses < %s
  RETURNING asked_email_code"""
CONFIRM: Final = """UPDATE gateway.space SET notice_email = asked_email, asked_email = NULL, asked_email_code = NULL
  WHERE id = %s"""
FORGET: Final = """UPDATE gateway.space SET notice_email = NULL, asked_email = NULL, asked_email_code = NULL
  WHERE id = %s"""


@dataclass(frozen=True)
class Contact:
    """address  confirmed · asked  a code was sent there, and is awaited"""

    address: str | None
    asked: str | None
    birth_date: date | None


async def contact_of(connection: AsyncConnection[Row], space: UUID, now: datetime) -> Contact:
    row = await (await connection.execute(STATE, (space,))).fetchone()
    if row is None:
        return Contact(None, None, None)
    awaited = row.asked_email_code is not None and row.asked_email_at > now - CODE_LIFE
    return Contact(row.notice_email, row.asked_email if awaited else None, row.birth_date)


async def ask_address(
    connection: AsyncConnection[Row], space: UUID, address: str, *, mail: Mail, subject: str, text: str, now: datetime
) -> bool:
    """Send a code to `address`; `text` has its place as ``{code}``. False within a minute of the last one.

    Raises BadAccount for what is no address.
    """
    if len(address) > MAX_LENGTH or not ADDRESS.fullmatch(address):
        raise BadAccount
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    asked = await connection.execute(ASK, (address, _hash(space, code), now, space, now - BETWEEN_CODES))
    if not asked.rowcount:
        return False
    await mail.send(connection, address, subject, text.format(code=code))
    return True


async def confirm_address(connection: AsyncConnection[Row], space: UUID, code: str, now: datetime) -> bool:
    """Whether `code` is the one that was sent; then the address is used from now on."""
    row = await (await connection.execute(GUESS, (space, now - CODE_LIFE, GUESSES))).fetchone()
    if row is None or not hmac.compare_digest(bytes(row.asked_email_code), _hash(space, code.strip())):
        return False
    await connection.execute(CONFIRM, (space,))
    return True


async def forget_address(connection: AsyncConnection[Row], space: UUID) -> None:
    await connection.execute(FORGET, (space,))


def _hash(space: UUID, code: str) -> bytes:
    return hashlib.sha256(space.bytes + code.encode()).digest()
