"""Registering an organisation, and asking for whom a person acts."""

from datetime import datetime
from uuid import UUID, uuid4

from app_catalog.errors import Fault, NotAllowed, Unacceptable, Unknown, WrongState
from app_catalog.vendors.step import VendorStep, note
from app_catalog.wiring import Connection, Journal, Person, Row

MAX_ORGANISATIONS = 10  # each may have simulated patients, and write to whom it likes
ADD_VENDOR = "INSERT INTO catalogue.vendor (id, name, contact, created_at) VALUES (%s, %s, %s, %s)"
ADD_MEMBER = """INSERT INTO catalogue.vendor_member (vendor_id, person, added_at, role, display_name)
  VALUES (%s, %s, %s, 'owner', %s)"""
VENDOR = "SELECT id, name, contact, contact_email, contact_verified_at, oid FROM catalogue.vendor WHERE id = %s"
VENDORS_OF = "SELECT vendor_id FROM catalogue.vendor_member WHERE person = %s AND left_at IS NULL"


async def register_vendor(
    connection: Connection, *, name: str, contact: str, person: Person, journal: Journal, now: datetime
) -> UUID:
    """A new organisation whose first owner is `person`; returns its id.

    Raises NotAllowed, Unacceptable, or WrongState for who is in as many as one may be.
    """
    if person.kind != "vendor":
        raise NotAllowed
    name, contact = name.strip(), contact.strip()
    faults = [
        Fault(pointer, "This is needed.")
        for pointer, text in (("/vendor_name", name), ("/vendor_contact", contact))
        if not text or len(text) > 200 or not text.isprintable()
    ]
    if faults:
        raise Unacceptable(*faults)
    vendor = uuid4()
    async with connection.transaction():
        if len(await vendors_of(connection, person.id)) >= MAX_ORGANISATIONS:
            raise WrongState("Nobody is a member of more than ten organisations by registering them.")
        await connection.execute(ADD_VENDOR, (vendor, name, contact, now))
        await connection.execute(ADD_MEMBER, (vendor, person.id, now, person.display_name))
        await note(connection, vendor, VendorStep.REGISTERED, person=person, journal=journal, now=now, about=name)
    return vendor


async def vendors_of(connection: Connection, person_id: UUID) -> frozenset[UUID]:
    """The organisations that a person is a member of."""
    rows = await (await connection.execute(VENDORS_OF, (person_id,))).fetchall()
    return frozenset(row.vendor_id for row in rows)


async def vendor_by_id(connection: Connection, vendor_id: UUID) -> Row:
    """`id`, `name`, `contact`, `contact_email`, `contact_verified_at`, `oid`. Raises Unknown."""
    row = await (await connection.execute(VENDOR, (vendor_id,))).fetchone()
    if row is None:
        raise Unknown
    return row
