"""A reading as a FHIR R4 Observation, written as text: "5.60" stays 5.60, which no float would.

What is the same for all readings of a series is put together once; a row adds its id, version, status, time and digits.
"""

import json
from collections.abc import Mapping
from typing import Final

from device_gateway.access import CATEGORY_SYSTEM, categories_of
from device_gateway.fhir.bundle import entry
from device_gateway.fhir.device_id import device_reference
from device_gateway.fhir.profiles import MOMENT_METRICS, MOMENT_URL, MOMENTS, PROFILES
from device_gateway.metrics import Component
from device_gateway.readings.reading_id import SeriesIds, microseconds
from device_gateway.readings.rows import Series, StoredRow, canonical_texts, effective_time, status_of

UCUM: Final = "http://unitsofmeasure.org"
CATEGORY_NAMES: Final = {
    "vital-signs": "Vital Signs", "laboratory": "Laboratory", "activity": "Activity", "survey": "Survey",
}  # fmt: skip


class ObservationWriter:
    """Writes the readings of one series for one app.

    base_url    of the FHIR API
    patient_id  what the app knows the patient by
    """

    def __init__(self, series: Series, base_url: str, patient_id: str) -> None:
        metric = series.metric
        self._metric = metric
        self._ids = SeriesIds(series.uuid)
        self._url = f"{base_url}/Observation/"
        self._meta = f',"profile":[{_text(PROFILES[metric.key])}]' if metric.key in PROFILES else ""
        self._middle = (
            f'"category":[{",".join(_category(code) for code in categories_of(metric.key))}],'
            f'"code":{_concept(metric.system, metric.code, metric.display)},'
            f'"subject":{{"reference":"Patient/{patient_id}"}},'
        )
        self._device = _device(series)
        self._unit = f',"unit":{_text(metric.unit_display)},"system":"{UCUM}","code":{_text(metric.unit)}}}'
        self._components = [_component(metric.system, component) for component in metric.components]

    def id_of(self, row: StoredRow) -> str:
        return self._ids.id_of(microseconds(row.time), row.seq)

    def resource(self, row: StoredRow) -> str:
        """JSON text of the Observation."""
        return self._resource(self.id_of(row), row)

    def entry(self, row: StoredRow) -> str:
        """JSON text of a Bundle entry with the Observation."""
        identifier = self.id_of(row)
        return entry(self._url + identifier, self._resource(identifier, row), "match")

    def _resource(self, identifier: str, row: StoredRow) -> str:
        status: str = status_of(row.flags)
        if row.amended and status == "final":
            status = "corrected"
        at = effective_time(row).isoformat()
        if row.offset_min is None:
            at = at.replace("+00:00", "Z")  # the instant is known, the patient's offset is not
        return (
            f'{{"resourceType":"Observation","id":"{identifier}","meta":{{"versionId":"{row.version}"{self._meta}}},'
            f'{self._moment(row.context)}"status":"{status}",{self._middle}"effectiveDateTime":"{at}"'
            f"{self._measured(row)}}}"
        )

    def _measured(self, row: StoredRow) -> str:
        texts = canonical_texts(row, self._metric)
        if not self._components:
            return f',"valueQuantity":{{"value":{texts[0]}{self._unit}{self._device}'
        listed = ",".join(
            f'{head}"valueQuantity":{{"value":{text}{self._unit}}}'
            for head, text in zip(self._components, texts, strict=True)
            if text is not None
        )
        return f'{self._device},"component":[{listed}]'

    def _moment(self, context: Mapping[str, object] | None) -> str:
        if not context or self._metric.key not in MOMENT_METRICS:
            return ""
        moment = MOMENTS.get(str(context.get("meal")))
        if moment is None:
            return ""
        return f'"extension":[{{"url":"{MOMENT_URL}","valueCodeableConcept":{_concept(*moment)}}}],'


def _component(system: str, component: Component) -> str:
    return f'{{"code":{_concept(system, component.code, component.display)},'


def _device(series: Series) -> str:
    """A Device of ours by its reference; what a file told of by its product, for it is in no registry."""
    if series.device_id:
        return f',"device":{{"reference":{_text(device_reference(series.device_id))}}}'
    return f',"device":{{"display":{_text(series.source_name)}}}' if series.source_name else ""


def _category(code: str) -> str:
    return _concept(CATEGORY_SYSTEM, code, CATEGORY_NAMES[code])


def _concept(system: str, code: str, display: str) -> str:
    return _text({"coding": [{"system": system, "code": code, "display": display}]})


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
