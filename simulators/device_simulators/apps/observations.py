"""FHIR Observations: searching them page by page, and what an app shows of one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from device_simulators.apps.connection import Connection, Unavailable
from device_simulators.apps.measures import LOINC, Measure

PAGE_SIZE = 100  # Observations asked for at once
MAX_PAGES = 20  # a summary of a month needs no more; and a server that links pages in a circle is left
SHOWN_STATUS = frozenset({"final", "amended", "corrected", "preliminary"})  # not those cancelled or entered in error

Resource = Mapping[str, Any]  # Any: JSON of somebody else


@dataclass(frozen=True)
class Value:
    """One measured number, with the digits that were sent. Blood pressure has two of them, named by `code`."""

    number: Decimal
    unit: str
    code: str


@dataclass(frozen=True)
class Observation:
    """`at` has the patient's offset: it is the time that the patient's watch showed. `device`: where we may know it."""

    id: str
    measure: Measure
    at: datetime
    values: tuple[Value, ...]
    device: str | None = None


async def search(connection: Connection, measures: Sequence[Measure], since: date) -> list[Observation]:
    """Observations of `measures` since a day, newest first. Empty where nothing is there, or nothing is shared.

    Raises AccessWithdrawn or Unavailable.
    """
    base = connection.endpoints.fhir
    url: str | None = f"{base}/Observation"
    parameters: Mapping[str, str] | None = {
        "patient": connection.patient,
        "code": ",".join(measure.token for measure in measures),
        "date": f"ge{since.isoformat()}",
        "_sort": "-date",
        "_include": "Observation:device",
        "_count": str(PAGE_SIZE),
    }
    found: list[Observation] = []
    for _ in range(MAX_PAGES):
        if url is None:
            break
        bundle = await connection.get(url, parameters)
        found += _matches(bundle, measures)
        url, parameters = _next_page(bundle, base), None
    return found


def _next_page(bundle: Resource, base: str) -> str | None:
    """The link `next`. The token goes nowhere but to the server that it is for: another address is refused."""
    url = next((str(link.get("url")) for link in bundle.get("link", ()) if link.get("relation") == "next"), None)
    if url is not None and not url.startswith(f"{base}/"):
        raise Unavailable
    return url


def _matches(bundle: Resource, measures: Sequence[Measure]) -> Iterator[Observation]:
    resources = [entry.get("resource", {}) for entry in bundle.get("entry", ())]
    devices = {f"Device/{each['id']}": _name(each) for each in resources if each.get("resourceType") == "Device"}
    for resource in resources:
        if resource.get("resourceType") != "Observation" or resource.get("status") not in SHOWN_STATUS:
            continue
        for measure in measures:
            if measure.code in _codes(resource) and (values := tuple(_values(resource))):
                at = datetime.fromisoformat(resource["effectiveDateTime"])
                device = devices.get(resource.get("device", {}).get("reference"))
                yield Observation(resource["id"], measure, at, values, device)


def _values(resource: Resource) -> Iterator[Value]:
    for part in (resource, *resource.get("component", ())):
        if quantity := part.get("valueQuantity"):
            yield Value(Decimal(quantity["value"]), quantity.get("unit", ""), next(iter(_codes(part)), ""))


def _name(device: Resource) -> str | None:
    return next((str(name["name"]) for name in device.get("deviceName", ())), None)


def _codes(part: Resource) -> list[str]:
    return [coding["code"] for coding in part.get("code", {}).get("coding", ()) if coding.get("system") == LOINC]
