"""What an adapter reads in a recording."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from device_gateway.errors import UnknownModel
from device_gateway.readings.model import Reading, Rejected
from device_gateway.transports.ble.adapter import RecordAdapter, record_adapter
from device_gateway.transports.recording.session_file import Notified, Read, Recording, long_uuid


def readings_in(recording: Recording, key: str | None = None) -> Iterator[Reading | Rejected]:
    """Readings and refusals in their order, by the adapter `key`, else by the one that the recording names.

    What was received has the time at which it was recorded. A numbered record that came again as it was, as when the
    gateway makes sure of the last one, is the same record. Raises UnknownModel.
    """
    key = key or recording.session.adapter
    if key is None:
        raise UnknownModel("the recording names no adapter: say which one is to read it")
    adapter = record_adapter(key)
    if adapter.record_access is None:
        yield from _all(recording, adapter)
        return
    known: set[bytes] = set()
    for result in _all(recording, adapter):
        if isinstance(result, Reading):
            record = msgspec.json.encode(result)
            if record in known:
                continue
            known.add(record)
        yield result


def _all(recording: Recording, adapter: RecordAdapter) -> Iterator[Reading | Rejected]:
    decoder = adapter.decoder()
    read: dict[str, bytes] = {}
    for event in recording.events:
        if not isinstance(event, Read | Notified) or event.error is not None:
            continue
        uuid, value = long_uuid(event.uuid), event.octets
        if uuid not in (adapter.reads if isinstance(event, Read) else adapter.notifies):
            continue
        if isinstance(event, Read):
            if read.get(uuid) == value:
                continue
            read[uuid] = value
        yield from decoder.feed(uuid, value, recording.session.recorded + timedelta(seconds=event.t))
    yield from decoder.finish()
