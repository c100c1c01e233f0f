"""The 30 virtual patients by name: adult#001 … #010, adolescent#001 … #010, child#001 … #010."""

import csv
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Self

DEFAULT_PATIENT = "adult#004"


class UnknownPatient(ValueError):
    """There is no virtual patient with this name."""


@dataclass(frozen=True, slots=True)
class VirtualPatient:
    """One row of ``uva_padova.csv``; the parameters keep the names of the papers that ``physiology`` cites.

    `age` is in years, `BW` in kg, `carb_ratio` in g of carbohydrate per unit of insulin, `correction_factor` in mg/dL
    per unit; `u2ss` is the basal insulin in pmol/kg/min that keeps `state` steady.
    """

    name: str
    age: float
    carb_ratio: float
    correction_factor: float
    BW: float
    Ib: float
    kabs: float
    kmax: float
    kmin: float
    b: float
    d: float
    Vg: float
    Vi: float
    Vmx: float
    Km0: float
    k2: float
    k1: float
    p2u: float
    m1: float
    m2: float
    m4: float
    m30: float
    ki: float
    kp1: float
    kp2: float
    kp3: float
    f: float
    ke1: float
    ke2: float
    Fsnc: float
    Vm0: float
    kd: float
    ksc: float
    ka1: float
    ka2: float
    u2ss: float
    state: tuple[float, ...]

    @property
    def basal_u_per_min(self) -> float:
        """Insulin that keeps the fasting patient steady: 1 U is 6000 pmol."""
        return self.u2ss * self.BW / 6000

    @classmethod
    def from_row(cls, row: dict[str, str]) -> Self:
        numbers = {field.name: float(row[field.name]) for field in fields(cls) if field.name not in ("name", "state")}
        return cls(name=row["name"], state=tuple(float(row[f"x0_{i}"]) for i in range(1, 14)), **numbers)


@cache
def patients() -> dict[str, VirtualPatient]:
    """All of them, by name."""
    text = files(__package__).joinpath("uva_padova.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["name"]: VirtualPatient.from_row(row) for row in rows}


def patient(name: str) -> VirtualPatient:
    """The patient of this name. Raises UnknownPatient."""
    try:
        return patients()[name]
    except KeyError as error:
        raise UnknownPatient(
            f"{name!r} is no virtual patient: adult#001 to adult#010, adolescent#001 to #010 or child#001 to #010"
        ) from error
