"""Weighings as our own dialect has them."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from device_simulators.mqtt.weighing import Weighing


@dataclass(frozen=True)
class OwnMessage:
    """Payload of ``…/readings``, and the id under which its outcome comes."""

    message_id: str
    payload: bytes


def own_message(weighing: Weighing, at: datetime, seq: int) -> OwnMessage:
    """One weighing; `at` is aware."""
    return _message([_reading(weighing, at) | {"seq": seq}], at)


def own_history(past: Iterable[tuple[datetime, Weighing]]) -> OwnMessage:
    """What the scale remembers, in one message. Sent again after a restart, it is the same readings."""
    remembered = list(past)
    return _message([_reading(weighing, at) for at, weighing in remembered], remembered[-1][0])


def outcomes(payload: bytes) -> tuple[str, list[str]]:
    """(message id, outcome of each reading) of an outcome message. Raises ValueError or KeyError for anything else."""
    message = json.loads(payload)
    return message["message_id"], [line["outcome"] for line in message["outcomes"]]


def _reading(weighing: Weighing, at: datetime) -> dict[str, Any]:  # Any: a JSON object
    return {"metric": "body-weight", "value": weighing.kg, "unit": "kg", "at": at.isoformat()}


def _message(readings: list[dict[str, Any]], sent_at: datetime) -> OwnMessage:
    message_id = str(uuid.uuid4())
    body = {"message_id": message_id, "sent_at": sent_at.isoformat(), "readings": readings}
    return OwnMessage(message_id, json.dumps(body).encode())
