"""A message as the broker gave it."""

from datetime import datetime
from typing import NamedTuple


class Message(NamedTuple):
    """`slot` and `ticket` are what the transport needs to acknowledge it: which session, and which of its messages."""

    topic: str
    payload: bytes
    received_at: datetime
    slot: int = 0
    ticket: int = 0
