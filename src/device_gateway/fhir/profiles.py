"""Which published profiles the readings of a metric meet, and the moments that a glucose reading may tell.

"Mesures de santé" (ANS) profiles by the canonical URLs of the national service; for metrics that it does not have, the
vital signs profiles of HL7. A metric without a profile here is plain FHIR R4.
"""

from collections.abc import Mapping
from typing import Final

_MES: Final = "https://fhir.monespacesante.fr/ref/mesure/StructureDefinition/mes-observation-"
_HL7: Final = "http://hl7.org/fhir/StructureDefinition/"

PROFILES: Final[Mapping[str, str]] = {
    "blood-glucose": f"{_MES}glucose",
    "hba1c": f"{_MES}glucose",
    "body-weight": f"{_MES}bodyweight",
    "body-height": f"{_MES}bodyheight",
    "bmi": f"{_MES}bmi",
    "waist-circumference": f"{_MES}waistcircumference",
    "head-circumference": f"{_MES}headcircumference",
    "blood-pressure": f"{_MES}bp",
    "heart-rate": f"{_MES}heartrate",
    "body-temperature": f"{_MES}bodytemperature",
    "steps": f"{_MES}stepsbyday",
    "pain": f"{_MES}painseverity",
    "oxygen-saturation": f"{_HL7}oxygensat",
    "respiratory-rate": f"{_HL7}resprate",
}

MOMENT_URL: Final = "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/mesures-moment-of-measurement"
MOMENT_METRICS: Final = frozenset({"blood-glucose"})  # forbidden for the other kinds of glucose
_MOMENT_SYSTEM: Final = "https://mos.esante.gouv.fr/NOS/TRE_A04-Loinc/FHIR/TRE-A04-Loinc"
# Value set JDV_J157. A moment that it has no word for is "other"; a reading that tells no moment gets none.
_OTHER: Final = (_MOMENT_SYSTEM, "LA46-8", "Autre")
MOMENTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "fasting": (_MOMENT_SYSTEM, "53049-3", "Glucose à jeun"),
    "before-meal": (_MOMENT_SYSTEM, "88365-2", "Avant repas"),
    "after-meal": (_MOMENT_SYSTEM, "16915-1", "Glucose post prandial"),
    "casual": _OTHER,
    "bedtime": _OTHER,
}
