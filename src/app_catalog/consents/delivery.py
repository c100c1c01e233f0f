"""Delivering notices of revocation to vendors: a Security Event Token (RFC 8417), pushed over HTTP (RFC 8935).

It is signed with the key that signs id tokens, under ``jwks_uri``. It says by which pairing id the app knew a patient
and why access ended in one word; nothing else about the patient. A notice may arrive twice: its ``jti`` stays the same.
"""

import asyncio
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from socket import gaierror
from typing import Final
from uuid import UUID

import httpx2
from joserfc import jwt

from app_catalog.clients.outward import NotPublic, target_of
from app_catalog.oauth.signing_keys import SigningKey, signing_key
from app_catalog.wiring import Pool, Row

ENDED: Final = "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked"
TIME: Final = timedelta(seconds=10)  # for one attempt: nobody waits for it
LEASE: Final = timedelta(minutes=2)  # after which another process may try what one that died had taken
FIRST_PAUSE: Final = timedelta(minutes=1)  # then twice as long each time
LONGEST_PAUSE: Final = timedelta(hours=6)
GIVE_UP_AFTER: Final = timedelta(days=5)  # a long weekend, and the time to notice
BATCH: Final = 40
OF_ONE_APP: Final = 8  # of a batch, at most: a server that does not answer holds up its own notices only

TAKE: Final = """UPDATE catalogue.revocation_notice n SET due_at = %(later)s, attempts = attempts + 1,
    attempted_at = %(now)s
  FROM catalogue.app a WHERE a.id = n.app_id AND n.id IN (SELECT id FROM catalogue.revocation_notice
    WHERE id IN (SELECT due.id FROM catalogue.app each CROSS JOIN LATERAL (
        SELECT id, due_at FROM catalogue.revocation_notice WHERE app_id = each.id AND due_at <= %(now)s
          AND delivered_at IS NULL AND given_up_at IS NULL ORDER BY due_at LIMIT %(of_one)s) due
      ORDER BY due.due_at LIMIT %(batch)s)
    AND due_at <= %(now)s FOR UPDATE SKIP LOCKED)
  RETURNING n.id, n.app_id, n.pairing_id, n.reason, n.happened_at, n.attempts, a.client_id, a.notification_url,
    a.notification_gone_at"""
DELIVERED: Final = "UPDATE catalogue.revocation_notice SET delivered_at = %s, last_answer = %s WHERE id = %s"
AGAIN: Final = "UPDATE catalogue.revocation_notice SET due_at = %s, last_answer = %s WHERE id = %s"
# What else waits for a server that does not answer waits with it: nobody else's notices stand behind it in the queue.
POSTPONE: Final = """UPDATE catalogue.revocation_notice SET due_at = %(due)s
  WHERE app_id = %(app)s AND due_at < %(due)s AND delivered_at IS NULL AND given_up_at IS NULL"""
GIVE_UP: Final = "UPDATE catalogue.revocation_notice SET given_up_at = %s, last_answer = %s WHERE id = %s"
GONE: Final = """UPDATE catalogue.app SET notification_gone_at = %s
  WHERE id = %s AND notification_url = %s AND notification_gone_at IS NULL"""

Values = tuple[object, ...] | dict[str, object]


@dataclass(frozen=True)
class Answer:
    """What came of an attempt: the status of the answer, or the kind of error on the way."""

    status: int | None
    words: str


async def deliver_notices(
    pool: Pool,
    *,
    issuer: str,
    master_key: bytes,
    now: datetime,
    hosts_inside: Collection[str] = (),
    batch: int = BATCH,
) -> int:
    """Attempt what is due; returns how many attempts there were. Any number of processes may do so at once.

    hosts_inside  names that may have private addresses: the operator named them
    batch         attempts made at once
    """
    async with pool.connection() as connection:
        parameters = {"now": now, "later": now + LEASE, "batch": batch, "of_one": OF_ONE_APP}
        due = await (await connection.execute(TAKE, parameters)).fetchall()
        if not due:
            return 0
        key = await signing_key(connection, "ES256", master_key, now)
    context = await asyncio.to_thread(ssl.create_default_context)
    attempts = (_attempt(notice, issuer, key, context, hosts_inside, now=now) for notice in due)
    answers = [
        answer if isinstance(answer, Answer) else Answer(None, type(answer).__name__)
        for answer in await asyncio.gather(*attempts, return_exceptions=True)
    ]
    async with pool.connection() as connection:
        for notice, answer in zip(due, answers, strict=True):
            async with connection.transaction():
                for sql, values in _writes(notice, answer, now):
                    await connection.execute(sql, values)
    return len(due)


def security_event(
    issuer: str, client_id: str, pairing_id: UUID, reason: str, *, happened_at: datetime, jti: UUID, now: datetime
) -> dict[str, object]:
    """The claims (RFC 8417 §2.2); the subject in the form of RFC 9493."""
    return {
        "iss": issuer,
        "aud": client_id,
        "jti": str(jti),
        "iat": int(now.timestamp()),
        "toe": int(happened_at.timestamp()),
        "sub_id": {"format": "opaque", "id": str(pairing_id)},
        "events": {ENDED: {"reason": reason}},
    }


async def _attempt(
    notice: Row, issuer: str, key: SigningKey, context: ssl.SSLContext, hosts_inside: Collection[str], *, now: datetime
) -> Answer:
    if notice.notification_url is None or notice.notification_gone_at is not None:
        return Answer(None, "no address any more")
    claims = security_event(
        issuer, notice.client_id, notice.pairing_id, notice.reason, happened_at=notice.happened_at, jti=notice.id,
        now=now,
    )  # fmt: skip
    header = {"alg": key.algorithm, "kid": key.id, "typ": "secevent+jwt"}
    token = await asyncio.to_thread(jwt.encode, header, claims, key.private, algorithms=[key.algorithm])
    try:
        async with asyncio.timeout(TIME.total_seconds()):
            return await _post(notice.notification_url, token, context, hosts_inside)
    except NotPublic:
        return Answer(None, "the address is not one of the public Internet")
    except (TimeoutError, gaierror, httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        return Answer(None, type(error).__name__)


async def _post(uri: str, token: str, context: ssl.SSLContext, hosts_inside: Collection[str]) -> Answer:
    """What is answered is not read: only its status counts."""
    target = await target_of(uri, hosts_inside)
    headers = {"Host": target.host, "Content-Type": "application/secevent+jwt", "Accept": "application/json"}
    async with (
        httpx2.AsyncClient(verify=context, trust_env=False, follow_redirects=False) as client,
        client.stream(
            "POST", target.url, headers=headers, content=token, extensions={"sni_hostname": target.name}
        ) as response,
    ):
        return Answer(response.status_code, str(response.status_code))


def _writes(notice: Row, answer: Answer, now: datetime) -> list[tuple[str, Values]]:
    if answer.status is not None and 200 <= answer.status < 300:
        return [(DELIVERED, (now, answer.words, notice.id))]
    if answer.status == 410:
        return [
            (GONE, (now, notice.app_id, notice.notification_url)),
            (GIVE_UP, (now, answer.words, notice.id)),
        ]
    if notice.notification_url is None or notice.notification_gone_at is not None:
        return [(GIVE_UP, (now, answer.words, notice.id))]
    pause = min(FIRST_PAUSE * 2 ** min(notice.attempts - 1, 16), LONGEST_PAUSE)
    if now + pause > notice.happened_at + GIVE_UP_AFTER:
        return [(GIVE_UP, (now, answer.words, notice.id))]
    return [
        (AGAIN, (now + pause, answer.words, notice.id)),
        (POSTPONE, {"app": notice.app_id, "due": now + FIRST_PAUSE}),
    ]
