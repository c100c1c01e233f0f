"""For whom a program asks: ``Authorization: Bearer`` with an access key (RFC 6750), and nothing else.

Neither cookies nor parameters are looked at, so there is nothing that a page of somebody else could send along.
"""

import re
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request

from app_catalog.access_keys.access_key import KEY_BYTES, PREFIX
from app_catalog.errors import NotAllowed
from app_catalog.oauth.secret_text import sha256
from app_catalog.program import Program
from app_catalog.wiring import Connection

REALM: Final = "catalogue"
USE_SHOWN_TO: Final = timedelta(hours=1)  # how exactly the last use is known: a write per key and hour, not per request
_KEY: Final = re.compile(rf"{PREFIX}[0-9a-f]{{{2 * KEY_BYTES}}}")

# A member who has left is none, also where the key was not ended with the membership.
OF_HASH: Final = """SELECT k.id, k.person, k.kind, k.person_name, k.vendor_id, k.name, k.writes, k.expires_at,
    k.ended_at, k.last_used_at, k.vendor_id IS NULL OR EXISTS (SELECT FROM catalogue.vendor_member m
      WHERE m.vendor_id = k.vendor_id AND m.person = k.person AND m.left_at IS NULL) AS present
  FROM catalogue.access_key k WHERE k.hash = %s"""
USED: Final = "UPDATE catalogue.access_key SET last_used_at = %s WHERE id = %s"


class NoKey(NotAllowed):
    """Send an access key: Authorization: Bearer appcat_…"""

    http_status = 401


class BadKey(NotAllowed):
    """This access key is not known here."""

    http_status = 401


async def program_of(connection: Connection, request: Request, now: datetime) -> Program:
    """The program that sent `request`. Raises NoKey or BadKey."""
    sent = request.headers.getlist("authorization")
    if not sent:
        raise NoKey
    scheme, _, text = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "bearer":
        raise NoKey
    if not _KEY.fullmatch(text := text.strip()):
        raise BadKey
    row = await (await connection.execute(OF_HASH, (sha256(text),))).fetchone()
    if row is None:
        raise BadKey
    if row.ended_at is not None or not row.present:
        raise BadKey("This access key has ended.")
    if row.expires_at <= now:
        raise BadKey("This access key is over its date: make another one.")
    if row.last_used_at is None or now - row.last_used_at >= USE_SHOWN_TO:
        await connection.execute(USED, (now, row.id))
    name = f"{row.person_name} [{row.name}]"
    return Program(row.person, row.kind, name, row.id, row.vendor_id, row.writes)
