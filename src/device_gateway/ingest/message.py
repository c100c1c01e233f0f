"""A message as the broker gave it."""

from datetime import datetime
from typing import NamedTuple


class Message(NamedTuple):
    """`slot` and `ticket` are what the transport needs to acknowledge it: which session, and which of its messages.

    again     the broker says that it has sent it before, without an acknowledgement
    retained  the broker had kept it for whoever subscribes: it may be old
    """

    topic: str
    payload: bytes
    received_at: datetime
    slot: int = 0
    ticket: int = 0
    again: bool = False
    retained: bool = False
