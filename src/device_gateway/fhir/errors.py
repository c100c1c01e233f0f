"""Errors of the FHIR API. Each becomes an OperationOutcome that says what to change."""

from collections.abc import Mapping

from device_gateway.errors import GatewayError


class FhirError(GatewayError):
    """The request cannot be answered as it is.

    `expression` points at the cause: ``http.date`` for the parameter ``date``.
    """

    headers: Mapping[str, str] = {}

    def __init__(self, message: str | None = None, *, expression: str | None = None) -> None:
        super().__init__(message)
        self.expression = expression


class BadParameter(FhirError):
    """This search parameter cannot be understood."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message, expression=f"http.{name}")


class BadQuery(FhirError):
    """The parameters of this request cannot be decoded."""


class UnknownParameter(BadParameter):
    """This search parameter is not supported here."""

    fhir_code = "not-supported"


class NoSuchResource(FhirError):
    """There is no such resource here, or it is not shared with this app."""

    http_status = 404
    fhir_code = "not-found"


class NoSuchType(FhirError):
    """This type of resource is not served."""

    http_status = 404
    fhir_code = "not-supported"


class MethodNotAllowed(FhirError):
    """This method does nothing here."""

    http_status = 405
    fhir_code = "not-supported"

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(message)
        self.headers = {"Allow": allowed}


class NotAcceptable(FhirError):
    """Resources are served as application/fhir+json only."""

    http_status = 406
    fhir_code = "not-supported"


class UnsupportedMediaType(FhirError):
    """Send the parameters as application/x-www-form-urlencoded."""

    http_status = 415
    fhir_code = "not-supported"


class TooLarge(FhirError):
    """The request is too large."""

    http_status = 413
    fhir_code = "too-long"


class TokenMissing(FhirError):
    """Send an access token: Authorization: Bearer …"""

    http_status = 401
    fhir_code = "login"
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012  never written to; RFC 6750 §3.1: no error code here


class TokenRefused(FhirError):
    """This access token opens nothing: it is unknown, expired or revoked. Get a new one, or ask the patient again."""

    http_status = 401
    fhir_code = "security"
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # noqa: RUF012  never written to


class Unavailable(FhirError):
    """The service cannot answer at this moment: try again in a few seconds."""

    http_status = 503
    fhir_code = "transient"
    headers = {"Retry-After": "5"}  # noqa: RUF012  seconds; never written to
