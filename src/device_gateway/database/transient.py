"""Which database errors pass by themselves."""

import psycopg
from psycopg import Connection

from device_gateway.database.pool import Row

PROGRAM_LIMIT = "54"  # SQLSTATE class: too large for an index, too complex; psycopg files it under OperationalError


def is_transient(error: Exception, connection: Connection[Row]) -> bool:
    """Whether the same statements may succeed on another try: the server was away, full, or chose us in a deadlock.

    When the connection is lost every error counts: what it says is a consequence.
    """
    if not isinstance(error, psycopg.Error):
        return False
    if connection.closed or connection.broken:
        return True
    return isinstance(error, psycopg.OperationalError) and not (error.sqlstate or "").startswith(PROGRAM_LIMIT)
