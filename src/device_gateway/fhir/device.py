"""A device of the registry as a FHIR R4 Device.

It says what the thing is and nothing that would let two apps find out that they know the same person: no serial number,
no Bluetooth address, not the name that the patient gave it. What kind of thing it is comes from the readings that the
app may see, for a device can measure more than is shared.
"""

import json
from collections.abc import Collection
from typing import Final
from uuid import UUID

from device_gateway.fhir.device_id import device_id

MDC: Final = "urn:iso:std:iso:11073:10101"
PERSONAL_HEALTH_DEVICE: Final = ("65573", "MDC_MOC_VMS_MDS_SIMP")
SPECIALIZATIONS: Final = {
    "blood-glucose": ("528401", "MDC_DEV_SPEC_PROFILE_GLUCOSE"),
    "interstitial-glucose": ("528409", "MDC_DEV_SPEC_PROFILE_CGM"),
    "body-weight": ("528399", "MDC_DEV_SPEC_PROFILE_SCALE"),
    "blood-pressure": ("528391", "MDC_DEV_SPEC_PROFILE_BP"),
    "body-temperature": ("528392", "MDC_DEV_SPEC_PROFILE_TEMP"),
    "oxygen-saturation": ("528388", "MDC_DEV_SPEC_PROFILE_PULS_OXIM"),
    "body-fat": ("528404", "MDC_DEV_SPEC_PROFILE_BCA"),
    "body-water": ("528404", "MDC_DEV_SPEC_PROFILE_BCA"),
    "muscle-mass": ("528404", "MDC_DEV_SPEC_PROFILE_BCA"),
}


def device_resource(device: UUID, model_name: str, *, held: bool, patient_id: str, metrics: Collection[str]) -> str:
    """JSON text. `metrics` are keys of those that the app may read; `held`: still in the patient's hands."""
    special = dict.fromkeys(SPECIALIZATIONS[key] for key in sorted(metrics) if key in SPECIALIZATIONS)
    resource = {
        "resourceType": "Device",
        "id": device_id(device),
        "status": "active" if held else "inactive",
        "deviceName": [{"name": model_name, "type": "model-name"}],
        "type": _concept(*PERSONAL_HEALTH_DEVICE),
    }
    specialization = {"specialization": [{"systemType": _concept(*one)} for one in special]} if special else {}
    patient = {"patient": {"reference": f"Patient/{patient_id}"}}
    return json.dumps(resource | specialization | patient, ensure_ascii=False, separators=(",", ":"))


def _concept(code: str, display: str) -> dict[str, list[dict[str, str]]]:
    return {"coding": [{"system": MDC, "code": code, "display": display}]}
