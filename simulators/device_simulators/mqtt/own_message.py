"""A weighing as our own dialect has it."""

import json
from datetime import datetime

from device_simulators.mqtt.weighing import Weighing


def own_message(weighing: Weighing, at: datetime, seq: int, message_id: str) -> bytes:
    """Payload of ``…/readings``; `at` is aware."""
    reading = {"metric": "body-weight", "value": weighing.kg, "unit": "kg", "at": at.isoformat(), "seq": seq}
    return json.dumps({"message_id": message_id, "sent_at": at.isoformat(), "readings": [reading]}).encode()


def outcomes(payload: bytes) -> tuple[str, list[str]]:
    """(message id, outcome of each reading) of an outcome message. Raises ValueError or KeyError for anything else."""
    message = json.loads(payload)
    return message["message_id"], [line["outcome"] for line in message["outcomes"]]
