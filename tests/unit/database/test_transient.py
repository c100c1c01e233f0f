"""Which errors are worth another try, and which would come again for ever."""

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg import errors

from device_gateway.database.transient import is_transient, is_unfit

SOUND: Any = SimpleNamespace(closed=False, broken=False)  # all that is asked of a connection
LOST: Any = SimpleNamespace(closed=True, broken=True)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("server closed the connection unexpectedly"),
        errors.AdminShutdown(),
        errors.CannotConnectNow(),
        errors.DeadlockDetected(),
        errors.SerializationFailure(),
        errors.LockNotAvailable(),
        errors.DiskFull(),
        errors.TooManyConnections(),
    ],
)
def test_what_passes_by_itself_is_tried_again(error: Exception) -> None:
    assert is_transient(error, SOUND)


@pytest.mark.parametrize(
    "error",
    [
        errors.ProgramLimitExceeded(),  # an OperationalError to psycopg: an index row too large, for instance
        errors.StatementTooComplex(),
        errors.CheckViolation(),
        errors.NumericValueOutOfRange(),
        errors.UntranslatableCharacter(),
        errors.InsufficientPrivilege(),
        psycopg.DataError("PostgreSQL text fields cannot contain NUL"),
        OverflowError(),
        KeyError(),
    ],
)
def test_what_a_message_itself_causes_is_not(error: Exception) -> None:
    assert not is_transient(error, SOUND)


def test_with_the_connection_lost_every_database_error_is_a_consequence() -> None:
    assert is_transient(psycopg.InterfaceError("the cursor is closed"), LOST)
    assert is_transient(errors.DataException(), LOST)
    assert not is_transient(KeyError(), LOST)


@pytest.mark.parametrize(
    "error",
    [
        errors.UndefinedTable(),
        errors.UndefinedColumn(),
        errors.InsufficientPrivilege(),
        errors.ReadOnlySqlTransaction(),
    ],
)
def test_what_the_installation_lacks_is_no_messages_fault(error: Exception) -> None:
    assert is_unfit(error)


@pytest.mark.parametrize(
    "error", [errors.CheckViolation(), errors.ProgramLimitExceeded(), psycopg.DataError(), KeyError()]
)
def test_what_a_message_causes_is_not_the_installations_fault(error: Exception) -> None:
    assert not is_unfit(error)
