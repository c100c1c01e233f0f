"""The outbox as the operator sees it."""

from typing import Final

from psycopg import Connection

from device_gateway.database.pool import Row

STATE: Final = """CASE WHEN sent_at IS NOT NULL THEN 'sent' WHEN failed_at IS NOT NULL THEN 'given up'
  WHEN attempts > 0 THEN 'tried' ELSE 'waits' END AS state"""
LISTED: Final = f"""SELECT id, created_at, {STATE}, recipient, subject, attempts, last_error FROM gateway.outgoing_mail
  ORDER BY created_at DESC, id LIMIT %s"""
SHOWN: Final = f"""SELECT id, created_at, {STATE}, recipient, subject, attempts, last_error, sent_at, failed_at,
  next_at, body, sealed FROM gateway.outgoing_mail WHERE id::text LIKE %s || '%%' ORDER BY created_at DESC LIMIT 1"""


def listed(connection: Connection[Row], limit: int) -> list[Row]:
    """The newest mails, without their texts."""
    return connection.execute(LISTED, (limit,)).fetchall()


def shown(connection: Connection[Row], number: str) -> Row | None:
    """The mail whose id begins with `number`."""
    return connection.execute(SHOWN, (number.replace("%", "").replace("_", ""),)).fetchone()
