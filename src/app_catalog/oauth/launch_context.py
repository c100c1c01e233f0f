"""Launch context (SMART App Launch 2.2): what an app is told beside a token, and who asks about the token as well."""

from typing import Any

from app_catalog.wiring import Row


def launch_context(row: Row) -> dict[str, Any]:
    """Of a token that concerns a patient. `row` is a row of a token or a code.

    patient              the pairing id: FHIR's Patient id for this app
    need_patient_banner  always: wherever it was opened from, an app is alone in its window and says whose data it shows
    """
    return {"patient": str(row.pairing_id), "need_patient_banner": True}
