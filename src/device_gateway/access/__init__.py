"""Who may do what: one decision point, and the journal row that follows each decision."""

from device_gateway.access.actors import Actor, App, Patient, System
from device_gateway.access.apps import CATEGORY_SYSTEM, VALUE_SETS, categories_of
from device_gateway.access.decide import decide, readable_metrics
from device_gateway.access.decisions import OTHER_PATIENT, Decision, Deny, Permit
from device_gateway.access.journalled import decision_event, journal_decision
from device_gateway.access.resources import Action, DeviceOf, ObservationOf, PatientOf, Resource

__all__ = [
    "CATEGORY_SYSTEM",
    "OTHER_PATIENT",
    "VALUE_SETS",
    "Action",
    "Actor",
    "App",
    "Decision",
    "Deny",
    "DeviceOf",
    "ObservationOf",
    "Patient",
    "PatientOf",
    "Permit",
    "Resource",
    "System",
    "categories_of",
    "decide",
    "decision_event",
    "journal_decision",
    "readable_metrics",
]
