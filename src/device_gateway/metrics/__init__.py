"""What can be measured: a catalogue of metrics as data (`catalogue.toml`), read once.

A new metric is a row of the catalogue, not code. LOINC and UCUM codes follow the French "Mesures de santé" guide.
"""

from device_gateway.metrics.catalogue import METRICS, UNIT_NUMBERS, UNITS, Component, Metric, metric_of_code

__all__ = ["METRICS", "UNITS", "UNIT_NUMBERS", "Component", "Metric", "metric_of_code"]
