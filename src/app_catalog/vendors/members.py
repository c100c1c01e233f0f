"""Members of an organisation: who they are, and how they change or end. There is always an owner."""

from datetime import datetime
from uuid import UUID

from app_catalog.access_keys.access_key import end_keys_of_member
from app_catalog.errors import Unknown, WrongState
from app_catalog.vendors.role import Role, require
from app_catalog.vendors.step import VendorStep, note
from app_catalog.wiring import Connection, Journal, Person, Row

LOCK = "SELECT id FROM catalogue.vendor WHERE id = %s FOR UPDATE"
MEMBERS = """SELECT person, display_name, role, added_at AT TIME ZONE 'UTC' AS added_at FROM catalogue.vendor_member
  WHERE vendor_id = %s AND left_at IS NULL ORDER BY added_at, person"""
MEMBER = """SELECT display_name, role FROM catalogue.vendor_member
  WHERE vendor_id = %s AND person = %s AND left_at IS NULL"""
OTHER_OWNER = """SELECT FROM catalogue.vendor_member
  WHERE vendor_id = %s AND person <> %s AND left_at IS NULL AND role = 'owner' LIMIT 1"""
SET_ROLE = "UPDATE catalogue.vendor_member SET role = %s WHERE vendor_id = %s AND person = %s"
END = "UPDATE catalogue.vendor_member SET left_at = %s WHERE vendor_id = %s AND person = %s"
# What an owner promised to others is not kept by somebody who is none any more.
WITHDRAW_INVITATIONS = """UPDATE catalogue.vendor_invitation SET withdrawn_at = %s
  WHERE vendor_id = %s AND invited_by = %s AND accepted_at IS NULL AND withdrawn_at IS NULL"""


async def members_of(connection: Connection, vendor_id: UUID) -> list[Row]:
    """Present members: `person`, `display_name`, `role`, `added_at` (UTC, without a zone), the oldest first."""
    return await (await connection.execute(MEMBERS, (vendor_id,))).fetchall()


async def change_role(
    connection: Connection,
    vendor_id: UUID,
    member: UUID,
    role: Role,
    *,
    person: Person,
    journal: Journal,
    now: datetime,
) -> None:
    """Owners only. Raises NotAllowed, Unknown, and WrongState for the last owner."""
    async with connection.transaction():
        await connection.execute(LOCK, (vendor_id,))
        await require(connection, vendor_id, person, Role.OWNER)
        row = await _present(connection, vendor_id, member)
        if row.role == role:
            return
        if row.role == Role.OWNER:
            await _is_not_the_last_owner(connection, vendor_id, member)
            await connection.execute(WITHDRAW_INVITATIONS, (now, vendor_id, member))
        await connection.execute(SET_ROLE, (role.value, vendor_id, member))
        await note(
            connection, vendor_id, VendorStep.ROLE_CHANGED, person=person, journal=journal, now=now,
            about=row.display_name, role=role,
        )  # fmt: skip


async def end_membership(
    connection: Connection, vendor_id: UUID, member: UUID, *, person: Person, journal: Journal, now: datetime
) -> None:
    """A member leaves, or an owner removes another one. Raises as `change_role`."""
    async with connection.transaction():
        await connection.execute(LOCK, (vendor_id,))
        leaves = member == person.id
        await require(connection, vendor_id, person, *(() if leaves else (Role.OWNER,)))
        row = await _present(connection, vendor_id, member)
        if row.role == Role.OWNER:
            await _is_not_the_last_owner(connection, vendor_id, member)
            await connection.execute(WITHDRAW_INVITATIONS, (now, vendor_id, member))
        await connection.execute(END, (now, vendor_id, member))
        await end_keys_of_member(connection, vendor_id, member, person=person, journal=journal, now=now)
        await note(
            connection, vendor_id, VendorStep.LEFT if leaves else VendorStep.REMOVED, person=person, journal=journal,
            now=now, about=row.display_name,
        )  # fmt: skip


async def _present(connection: Connection, vendor_id: UUID, member: UUID) -> Row:
    row = await (await connection.execute(MEMBER, (vendor_id, member))).fetchone()
    if row is None:
        raise Unknown
    return row


async def _is_not_the_last_owner(connection: Connection, vendor_id: UUID, member: UUID) -> None:
    if await (await connection.execute(OTHER_OWNER, (vendor_id, member))).fetchone() is None:
        raise WrongState("An organisation needs an owner: make somebody else one first.")
