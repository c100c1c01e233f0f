"""The journal: who did what in a patient's space, permitted or refused, in words that the patient can read."""

from device_gateway.journal.events import Actor, Event, EventName
from device_gateway.journal.record import record, record_each_with, record_hourly, record_in_worker

__all__ = ["Actor", "Event", "EventName", "record", "record_each_with", "record_hourly", "record_in_worker"]
