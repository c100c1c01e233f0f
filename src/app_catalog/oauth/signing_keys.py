"""The keys that sign id tokens: made, published before they sign, replaced, and published until nothing needs them.

A key signs for `KEY_LIFE`. Its successor is published `PUBLISHED_BEFORE` ahead, so that every client that keeps the key
set for a while has seen it. Once replaced, the private half is forgotten; the public half stays until the last token
that it signed has ended.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from joserfc.jwk import ECKey, RSAKey

from app_catalog.oauth import lifetimes
from app_catalog.oauth.algorithms import ALGORITHMS, Algorithm
from app_catalog.oauth.at_rest import seal, unseal
from app_catalog.wiring import Connection, Row

KEY_LIFE: Final = timedelta(days=30)
PUBLISHED_BEFORE: Final = timedelta(days=1)
KEY_SET_MAX_AGE: Final = timedelta(hours=1)  # how long a client may keep the key set; far below PUBLISHED_BEFORE
STILL_SIGNING: Final = timedelta(minutes=5)  # for what was about to be signed when the successor took over
RSA_BITS: Final = 2048  # NIST SP 800-57: until 2030; a key lives a month
LABEL: Final = "signing key of id tokens"
LOCK: Final = 0x6964_746F_6B65_6E  # "idtoken": any number does, as long as nobody else in the database uses it

LOCKED: Final = "SELECT pg_advisory_xact_lock(%s)"
NEWEST: Final = "SELECT max(signs_from) AS signs_from FROM catalogue.signing_key WHERE algorithm = %s"
ADD: Final = """INSERT INTO catalogue.signing_key (id, algorithm, public, sealed, created_at, signs_from)
  VALUES (%s, %s, %s, %s, %s, %s)"""
SIGNING: Final = """SELECT id, sealed FROM catalogue.signing_key WHERE algorithm = %s AND signs_from <= %s
  ORDER BY signs_from DESC LIMIT 1"""
PUBLISHED: Final = """SELECT public FROM (SELECT id, public, algorithm, signs_from,
    lead(signs_from) OVER (PARTITION BY algorithm ORDER BY signs_from) AS replaced_at FROM catalogue.signing_key) k
  WHERE replaced_at IS NULL OR replaced_at > %s ORDER BY algorithm DESC, signs_from"""
FORGET: Final = """UPDATE catalogue.signing_key k SET sealed = NULL WHERE sealed IS NOT NULL AND EXISTS (
  SELECT FROM catalogue.signing_key n WHERE n.algorithm = k.algorithm AND n.signs_from > k.signs_from
    AND n.signs_from < %s)"""


@dataclass(frozen=True)
class SigningKey:
    """`private` is the JWK with its private half: it is never logged, and leaves this process only sealed."""

    id: str
    algorithm: Algorithm
    private: RSAKey | ECKey


async def keep_signing_keys(connection: Connection, master_key: bytes, now: datetime) -> int:
    """Make the keys that are due and forget the private halves that sign no more. Returns how many were made."""
    made = 0
    async with connection.transaction():
        await connection.execute(LOCKED, (LOCK,))
        for algorithm in ALGORITHMS:
            newest = (await _one(connection, NEWEST, (algorithm,))).signs_from
            if newest is None or newest + KEY_LIFE - PUBLISHED_BEFORE <= now:
                signs_from = now if newest is None else max(now + PUBLISHED_BEFORE, newest + KEY_LIFE)
                await _add(connection, algorithm, master_key, now, signs_from)
                made += 1
        await connection.execute(FORGET, (now - STILL_SIGNING,))
    return made


async def signing_key(connection: Connection, algorithm: Algorithm, master_key: bytes, now: datetime) -> SigningKey:
    """The key that signs now; made if there has been none. Raises Closed where `master_key` is another one."""
    row = await (await connection.execute(SIGNING, (algorithm, now))).fetchone()
    if row is None:
        await keep_signing_keys(connection, master_key, now)
        row = await _one(connection, SIGNING, (algorithm, now))
    return await asyncio.to_thread(_opened, row.id, algorithm, bytes(row.sealed), master_key)


async def published_keys(connection: Connection, master_key: bytes, now: datetime) -> dict[str, list[dict[str, Any]]]:
    """The key set (RFC 7517), as bare keys (SMART 2.2 @207)."""
    since = now - lifetimes.ID_TOKEN - STILL_SIGNING
    rows = await (await connection.execute(PUBLISHED, (since,))).fetchall()
    if not rows:
        await keep_signing_keys(connection, master_key, now)
        rows = await (await connection.execute(PUBLISHED, (since,))).fetchall()
    return {"keys": [row.public for row in rows]}


async def _add(
    connection: Connection, algorithm: Algorithm, master_key: bytes, now: datetime, signs_from: datetime
) -> None:
    key = await asyncio.to_thread(_generate, algorithm)
    identifier = key.thumbprint()
    public = key.as_dict(private=False) | {"kid": identifier, "use": "sig", "alg": algorithm}
    sealed = seal(json.dumps(key.as_dict(private=True)).encode(), master_key, LABEL, identifier)
    await connection.execute(ADD, (identifier, algorithm, json.dumps(public), sealed, now, signs_from))


def _generate(algorithm: Algorithm) -> RSAKey | ECKey:
    return RSAKey.generate_key(RSA_BITS) if algorithm == "RS256" else ECKey.generate_key("P-256")


@lru_cache(maxsize=8)  # keys: one or two of each algorithm are in use; unsealing and checking one takes milliseconds
def _opened(identifier: str, algorithm: Algorithm, sealed: bytes, master_key: bytes) -> SigningKey:
    private = json.loads(unseal(sealed, master_key, LABEL, identifier))
    key = RSAKey.import_key(private) if algorithm == "RS256" else ECKey.import_key(private)
    return SigningKey(identifier, algorithm, key)


async def _one(connection: Connection, sql: str, values: tuple[object, ...]) -> Row:
    return (await (await connection.execute(sql, values)).fetchall())[0]
