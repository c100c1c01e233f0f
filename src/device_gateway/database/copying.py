"""A transaction that begins with COPY … FROM STDIN: two round trips fewer than a transaction and a copy of psycopg's.

libpq itself is spoken to, by psycopg's documented wrapper: nothing waits while rows are handed over, and the server
works on those before. Whatever follows in the transaction goes through psycopg as ever.
"""

import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import psycopg
from psycopg import Connection
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn

from device_gateway.database.pool import Row


class Words(NamedTuple):
    begin: str
    commit: bytes
    rollback: bytes


WORDS = {
    TransactionStatus.IDLE: Words("BEGIN", b"COMMIT", b"ROLLBACK"),
    TransactionStatus.INTRANS: Words("SAVEPOINT copying", b"RELEASE copying", b"ROLLBACK TO copying; RELEASE copying"),
}


class CopyIn:
    """Rows on their way. `write` may be called until `finish`, which raises what the server thinks of them."""

    def __init__(self, connection: PGconn) -> None:
        self._connection = connection
        self._open = True

    def write(self, data: bytes) -> None:
        self._connection.put_copy_data(data)
        self._connection.flush()  # as much as the network takes now

    def finish(self) -> None:
        self._end(None)

    def give_up(self) -> None:
        """What was written is void; nothing where it had an end already."""
        if self._open:
            with suppress(psycopg.Error):
                self._end(b"given up")

    def _end(self, reason: bytes | None) -> None:
        self._open = False
        self._connection.put_copy_end(reason)
        _answered(self._connection, ExecStatus.COMMAND_OK)


@contextmanager
def copying(connection: Connection[Row], statement: str) -> Iterator[CopyIn]:
    """COMMIT on leaving, ROLLBACK after an exception; inside a transaction the same of a savepoint.

    `connection` is in autocommit. `finish` is to be called in between. Raises psycopg.Error.
    """
    libpq = connection.pgconn
    words = WORDS.get(TransactionStatus(libpq.transaction_status))
    if words is None:
        raise psycopg.OperationalError("the connection is lost, or in a transaction that failed")
    copy = CopyIn(libpq)
    try:
        _run(libpq, f"{words.begin}; {statement}".encode(), ExecStatus.COPY_IN)
        yield copy
        _run(libpq, words.commit)
    except BaseException:
        copy.give_up()
        with suppress(psycopg.Error):  # a connection that is lost has rolled back
            _run(libpq, words.rollback)
        raise


def _run(libpq: PGconn, statement: bytes, wanted: ExecStatus = ExecStatus.COMMAND_OK) -> None:
    libpq.send_query(statement)
    _answered(libpq, wanted)


def _answered(libpq: PGconn, wanted: ExecStatus) -> None:
    """Wait for the results of what was sent, the last of which is `wanted`. Raises psycopg.Error.

    Other threads run meanwhile: libpq is asked for results only when they are there.
    """
    poll = select.poll()
    poll.register(libpq.socket, select.POLLIN | select.POLLOUT)
    while libpq.flush():
        poll.poll()
        libpq.consume_input()  # or both sides would wait for each other
    poll.modify(libpq.socket, select.POLLIN)
    problem = None
    while True:
        while libpq.is_busy():
            poll.poll()
            libpq.consume_input()
        result = libpq.get_result()
        if result is None:
            break
        if result.status not in (wanted, ExecStatus.COMMAND_OK):
            problem = problem or error_from_result(result)
        if result.status == ExecStatus.COPY_IN:
            break
    if problem:
        raise problem
