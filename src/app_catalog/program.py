"""A program that acts for a person, by an access key: with that person's rights of the moment, never more."""

from dataclasses import dataclass
from uuid import UUID

from app_catalog.errors import NotAllowed, Unknown


class ReadOnly(NotAllowed):
    """This access key may only read."""


class NotByProgram(NotAllowed):
    """What only owners may do is done by a person, on a page: an access key does not reach it."""


@dataclass(frozen=True)
class Program:
    """A `Person` who is not there: `id`, `kind` and rights are those of who made the key; `display_name` names both.

    key_id     of the access key
    vendor_id  the one organisation that it acts for, whatever else the person is a member of; None for a reviewer's
    writes     whether it may do more than read
    """

    id: UUID
    kind: str
    display_name: str
    key_id: UUID
    vendor_id: UUID | None
    writes: bool
    language: str = "en"
    zone: str = "UTC"
    csrf_token: str = ""  # it has no session, and no form of a page is believed to be its own
    subject: None = None

    def check(self, vendor_id: UUID, *, writing: bool) -> None:
        """Raises Unknown for another organisation than its own, ReadOnly for what it may not change."""
        if self.vendor_id != vendor_id:
            raise Unknown
        if writing and not self.writes:
            raise ReadOnly
