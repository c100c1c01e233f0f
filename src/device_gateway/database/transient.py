"""Whose fault a database error is: nobody's, for it passes by itself; the installation's; or what was to be written."""

import psycopg
from psycopg import Connection

from device_gateway.database.pool import Row

# Classes of SQLSTATE
PROGRAM_LIMIT = "54"  # too large for an index, too complex; psycopg files it under OperationalError
# A right, a table, a column or a schema is missing; the server only reads. No row that is written can cause these.
UNFIT = ("25", "28", "3D", "3F", "42")


def is_transient(error: Exception, connection: Connection[Row]) -> bool:
    """Whether the same statements may succeed on another try: the server was away, full, or chose us in a deadlock.

    When the connection is lost every error counts: what it says is a consequence.
    """
    if not isinstance(error, psycopg.Error):
        return False
    if connection.closed or connection.broken:
        return True
    return isinstance(error, psycopg.OperationalError) and not (error.sqlstate or "").startswith(PROGRAM_LIMIT)


def is_unfit(error: Exception) -> bool:
    """Whether the database lacks what this version needs: migrations, or rights of the role."""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith(UNFIT)
