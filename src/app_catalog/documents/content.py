"""Bytes that vendors gave, kept once under their SHA-256."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from app_catalog.wiring import Connection

SWEEP_AFTER = timedelta(days=1)  # a page that is being filled in may lead to bytes that nothing else does yet

# Touched when it is there already, so that the sweep does not take it away before something leads to it again.
KEEP = """INSERT INTO catalogue.content (sha256, media_type, bytes, added_at) VALUES (%s, %s, %s, %s)
  ON CONFLICT (sha256) DO UPDATE SET added_at = excluded.added_at"""
READ = "SELECT media_type, bytes FROM catalogue.content WHERE sha256 = %s"
SWEEP = "SELECT catalogue.sweep_contents(%s)"


@dataclass(frozen=True)
class Content:
    media_type: str
    content: bytes


async def keep_content(connection: Connection, content: bytes, media_type: str, now: datetime) -> bytes:
    """Keep `content`; returns its SHA-256."""
    digest = hashlib.sha256(content).digest()
    await connection.execute(KEEP, (digest, media_type, content, now))
    return digest


async def read_content(connection: Connection, digest: bytes) -> Content | None:
    row = await (await connection.execute(READ, (digest,))).fetchone()
    return Content(row.media_type, bytes(row.bytes)) if row else None


async def sweep_contents(connection: Connection, now: datetime) -> None:
    """Forget bytes that no document and no logo leads to, a day after they came."""
    await connection.execute(SWEEP, (now - SWEEP_AFTER,))
