"""OperationOutcome: what went wrong or was left out, in words, with a pointer to it."""

import json
from typing import Literal

from device_gateway.errors import GatewayError

Severity = Literal["error", "warning", "information"]


def outcome(severity: Severity, code: str, diagnostics: str, expression: str | None = None) -> str:
    """JSON text of an OperationOutcome with one issue. `code` is of the value set issue-type."""
    issue = {"severity": severity, "code": code, "diagnostics": diagnostics}
    where = {"expression": [expression]} if expression else {}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue | where]}, ensure_ascii=False)


def outcome_of(error: GatewayError) -> str:
    return outcome("error", error.fhir_code, error.message, getattr(error, "expression", None))
