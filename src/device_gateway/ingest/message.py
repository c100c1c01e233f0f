"""A message as the broker gave it."""

from datetime import datetime
from typing import NamedTuple


class Message(NamedTuple):
    """`ticket` is what the transport needs to acknowledge it."""

    topic: str
    payload: bytes
    received_at: datetime
    ticket: int = 0
