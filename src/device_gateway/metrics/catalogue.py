"""Reads `catalogue.toml` into frozen `Metric` values and checks it as it does."""

from __future__ import annotations  # the classes below refer to each other

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import msgspec

LOINC = "http://loinc.org"
MAX_COMPONENTS = 3  # columns value, value2, value3 of the table `reading`


class Conversion(msgspec.Struct, frozen=True):
    """canonical = sent x factor + offset."""

    factor: float
    offset: float = 0.0


class Component(msgspec.Struct, frozen=True):
    key: str
    code: str
    display: str
    required: bool = True


class Metric(msgspec.Struct, frozen=True):
    """One row of the catalogue.

    unit      canonical UCUM unit in which values are stored and ranges are given
    accepts   UCUM unit that may be sent -> conversion to the canonical one (the canonical unit is among them)
    low, high plausible range in the canonical unit, both ends included; outside of it a reading is rejected
    decimals  digits after the point with which the canonical value is shown when another unit was sent
    """

    key: str
    code: str
    display: str
    unit: str
    unit_display: str
    accepts: Mapping[str, Conversion]
    low: float
    high: float
    decimals: int
    names: Mapping[str, str]
    category: str
    components: tuple[Component, ...] = ()
    system: str = LOINC


def _conversion(value: Any) -> Conversion:  # Any: TOML gives a number or a table
    if isinstance(value, dict):
        return Conversion(float(value["factor"]), float(value["offset"]))
    return Conversion(float(value))


def _load() -> tuple[Mapping[str, Metric], Mapping[str, int]]:
    document = tomllib.loads(files(__package__).joinpath("catalogue.toml").read_text("utf-8"))
    numbers: dict[str, int] = document["units"]
    if len(set(numbers.values())) != len(numbers):
        raise ValueError("catalogue.toml: two units share a number")
    metrics = {}
    for key, row in document["metric"].items():
        components = tuple(msgspec.convert(c, Component) for c in row.get("components", ()))
        if len(components) > MAX_COMPONENTS:
            raise ValueError(f"catalogue.toml: {key} has more than {MAX_COMPONENTS} components")
        accepts = {row["unit"]: Conversion(1.0)} | {u: _conversion(c) for u, c in row.get("accepts", {}).items()}
        if unknown := set(accepts) - set(numbers):
            raise ValueError(f"catalogue.toml: {key} accepts units without a number: {sorted(unknown)}")
        metrics[key] = Metric(
            key=key, code=row["code"], display=row["display"], unit=row["unit"], unit_display=row["unit_display"],
            accepts=accepts, low=float(row["low"]), high=float(row["high"]), decimals=row["decimals"],
            names={"en": row["en"], "fr": row["fr"]}, category=row.get("category", "vital-signs"),
            components=components,
        )  # fmt: skip
    return metrics, numbers


METRICS, UNIT_NUMBERS = _load()
UNITS: Mapping[int, str] = {number: unit for unit, number in UNIT_NUMBERS.items()}
_BY_CODE = {(metric.system, metric.code): metric for metric in METRICS.values()}


def metric_of_code(system: str, code: str) -> Metric | None:
    """The metric that a coding names, or None. System is a URI, for instance ``http://loinc.org``."""
    return _BY_CODE.get((system, code))
