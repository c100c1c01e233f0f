"""A vendor confirms its contact: the mail is handed over at once, and the link in it followed."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app_catalog import Journal, Person
from app_catalog.vendors.contact import confirm_contact, set_contact
from app_catalog.vendors.vendor import vendor_by_id

ADDRESS = "contact@vendor.example"
ISSUER = "http://127.0.0.1"  # of a link that nobody but `confirmed` follows


@dataclass
class Letterbox:
    """Keeps what is sent to it."""

    texts: list[str] = field(default_factory=list)

    async def send(self, connection: Any, to: str, subject: str, text: str) -> None:  # noqa: ARG002
        self.texts.append(text)


async def confirmed(connection: Any, vendor_id: UUID, *, person: Person, journal: Journal, now: datetime) -> None:
    """The organisation has a confirmed contact; `person` is one of its owners."""
    vendor = await vendor_by_id(connection, vendor_id)
    if vendor.contact_verified_at is not None:
        return
    letters = Letterbox()
    await set_contact(
        connection, vendor_id, vendor.contact_email or ADDRESS, person=person, mail=letters, issuer=ISSUER,
        journal=journal, now=now,
    )  # fmt: skip
    await confirm_contact(connection, token_in(letters.texts[-1]), person=person, journal=journal, now=now)


def token_in(text: str) -> str:
    """What the link in a mail of ours carries."""
    found = re.search(r"[?]token=([A-Za-z0-9_-]+)", text)
    if found is None:
        raise ValueError("no link")
    return found[1]
