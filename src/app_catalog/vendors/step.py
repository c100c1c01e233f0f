"""What was done to an organisation: journalled, and listed on its page."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app_catalog.events import EventName
from app_catalog.vendors.role import Role
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Person, Row
from app_catalog.words import marked

ADD_STEP = """INSERT INTO catalogue.vendor_step (vendor_id, step, actor, actor_name, about, role, at)
  VALUES (%s, %s, %s, %s, %s, %s, %s)"""
STEPS = """SELECT step, actor_name, about, role, at AT TIME ZONE 'UTC' AS at FROM catalogue.vendor_step
  WHERE vendor_id = %s ORDER BY id DESC LIMIT 200"""


class VendorStep(StrEnum):
    """Each is the name of the event that the journal has of it."""

    REGISTERED = EventName.VENDOR_REGISTERED.value
    CONTACT_SET = EventName.CONTACT_SET.value
    CONTACT_VERIFIED = EventName.CONTACT_VERIFIED.value
    OID_SET = EventName.OID_SET.value
    INVITED = EventName.MEMBER_INVITED.value
    INVITATION_WITHDRAWN = EventName.INVITATION_WITHDRAWN.value
    JOINED = EventName.MEMBER_JOINED.value
    ROLE_CHANGED = EventName.ROLE_CHANGED.value
    REMOVED = EventName.MEMBER_REMOVED.value
    LEFT = EventName.MEMBER_LEFT.value
    ACCESS_KEY_MADE = EventName.ACCESS_KEY_MADE.value
    ACCESS_KEY_ENDED = EventName.ACCESS_KEY_ENDED.value
    SANDBOX_OPENED = EventName.SANDBOX_OPENED.value
    SANDBOX_RESET = EventName.SANDBOX_RESET.value
    SANDBOX_ENDED = EventName.SANDBOX_ENDED.value
    SANDBOX_WARNED = EventName.SANDBOX_WARNED.value

    @property
    def label(self) -> str:
        """For people, as an English msgid."""
        return LABELS[self]


LABELS = {
    VendorStep.REGISTERED: marked("organisation registered"),
    VendorStep.CONTACT_SET: marked("contact changed"),
    VendorStep.CONTACT_VERIFIED: marked("contact confirmed"),
    VendorStep.OID_SET: marked("OID changed"),
    VendorStep.INVITED: marked("invited"),
    VendorStep.INVITATION_WITHDRAWN: marked("invitation withdrawn"),
    VendorStep.JOINED: marked("joined"),
    VendorStep.ROLE_CHANGED: marked("role changed"),
    VendorStep.REMOVED: marked("removed from the organisation"),
    VendorStep.LEFT: marked("left"),
    VendorStep.ACCESS_KEY_MADE: marked("access key made"),
    VendorStep.ACCESS_KEY_ENDED: marked("access key ended"),
    VendorStep.SANDBOX_OPENED: marked("simulated patient made"),
    VendorStep.SANDBOX_RESET: marked("simulated patient reset"),
    VendorStep.SANDBOX_ENDED: marked("simulated patient ended"),
    VendorStep.SANDBOX_WARNED: marked("told that a simulated patient ends"),
}


async def note(
    connection: Connection,
    vendor_id: UUID,
    step: VendorStep,
    *,
    person: Person | None,
    journal: Journal,
    now: datetime,
    about: str | None = None,
    role: Role | None = None,
) -> None:
    """List and journal `step`, in the transaction that takes it. `person` is None where nobody had to sign in."""
    actor, name = (person.id, person.display_name) if person else (None, "")
    kept_role = role.value if role else None
    await connection.execute(ADD_STEP, (vendor_id, step.value, actor, name, about, kept_role, now))
    details = {"about": about, "role": kept_role}
    await journal.write(
        connection,
        CatalogueEvent(
            step.value,
            None,
            person.kind if person else "system",
            actor,
            name,
            f"vendor/{vendor_id}",
            details={key: text for key, text in details.items() if text},
        ),
    )


async def steps_of(connection: Connection, vendor_id: UUID) -> list[Row]:
    """What was done to the organisation, the newest first."""
    return await (await connection.execute(STEPS, (vendor_id,))).fetchall()
