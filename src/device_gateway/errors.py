"""Errors of the data plane: one root, and each class carries the status it has outside.

A programming error is never one of these, so it never becomes a 4xx.
"""


class GatewayError(Exception):
    """Something that the caller can put right."""

    http_status = 400
    fhir_code = "invalid"  # code of OperationOutcome.issue (value set issue-type)
    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])

    @property
    def message(self) -> str:
        return str(self.args[0])


class BadSetting(GatewayError):
    """A setting is missing or wrong."""

    exit_code = 78  # EX_CONFIG of sysexits.h


class PartMissing(GatewayError):
    """A program or a package that this command needs is not installed."""

    exit_code = 69  # EX_UNAVAILABLE


class PortTaken(GatewayError):
    """The port is already in use."""

    exit_code = 69


class DatabaseUnreachable(GatewayError):
    """The database does not answer."""

    http_status = 503
    fhir_code = "transient"
    exit_code = 69


class MigrationConflict(GatewayError):
    """The database was migrated by other files than these."""

    exit_code = 70


class ArchiveUnreadable(GatewayError):
    """The archive is not there, or not whole."""

    exit_code = 65  # EX_DATAERR of sysexits.h


class MoveInterrupted(GatewayError):
    """The move to TimescaleDB is not finished; it can be called again."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


class TimescaleMissing(GatewayError):
    """The server has no TimescaleDB."""

    exit_code = 69


class NotFound(GatewayError):
    """There is nothing here under that name."""

    http_status = 404
    fhir_code = "not-found"


class NotSignedIn(GatewayError):
    """Sign in first."""

    http_status = 401
    fhir_code = "login"


class Forbidden(GatewayError):
    """This is not yours to see or to do."""

    http_status = 403
    fhir_code = "forbidden"


class ClaimRefused(GatewayError):
    """This claim code is unknown, used or expired: ask the patient for a new one."""

    http_status = 404
    fhir_code = "not-found"


class DeviceAlreadyClaimed(GatewayError):
    """This device is in someone's space: its holder must remove it first, under "my devices"."""

    http_status = 409
    fhir_code = "conflict"


class UnknownModel(GatewayError):
    """No adapter supports this model."""

    http_status = 422
    fhir_code = "not-supported"
