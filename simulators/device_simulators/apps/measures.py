"""What the sample apps read, by LOINC code."""

from collections.abc import Mapping
from dataclasses import dataclass

LOINC = "http://loinc.org"

Texts = Mapping[str, str]
"""One text per language, keys ``fr`` and ``en``."""


@dataclass(frozen=True)
class Measure:
    """One thing that is measured.

    code  LOINC code in Observation.code
    slow  it changes over weeks, so that a month is told by its change; else by its mean
    """

    code: str
    names: Texts
    slow: bool = False

    @property
    def token(self) -> str:
        """As a FHIR search and a SMART scope spell it."""
        return f"{LOINC}|{self.code}"

    @property
    def read_scope(self) -> str:
        """The scope that reads and searches this measure of the patient, and nothing else."""
        return f"patient/Observation.rs?code={self.token}"


WEIGHT = Measure("29463-7", {"fr": "Poids", "en": "Weight"}, slow=True)
BLOOD_PRESSURE = Measure("85354-9", {"fr": "Tension artérielle", "en": "Blood pressure"})
BLOOD_GLUCOSE = Measure("2345-7", {"fr": "Glycémie", "en": "Blood glucose"})
