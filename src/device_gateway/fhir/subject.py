"""Whose data a search asks for: only the patient of the token can be found, by the id that this app knows."""

from typing import Final

from device_gateway.fhir.search_request import SearchRequest
from device_gateway.fhir.served import Asking

PATIENT_ONLY: Final = frozenset({"Patient"})


def asks_for_other_patient(asking: Asking, request: SearchRequest) -> bool:
    """Whether a criterion on the patient leaves out the patient of the token."""
    criteria = [*request.references.get("patient", ()), *request.references.get("subject", ())]
    return not all(
        any(
            reference is not None and reference.type in {None, "Patient"} and reference.id == asking.patient_id
            for reference in alternatives
        )
        for alternatives in criteria
    )
