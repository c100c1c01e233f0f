"""Invitations into an organisation: a link that works once, for whoever has it and signs in as a vendor.

Accounts here have no mail address of their own: the link shows that its bearer reads what is sent to the address, the
account is who joins, and the owners see which account it was.
"""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from app_catalog.errors import NotAllowed, Unknown, WrongState
from app_catalog.oauth.secret_text import new_secret, sha256
from app_catalog.vendors import letters
from app_catalog.vendors.mailbox import mailbox
from app_catalog.vendors.role import Role, require, role_of
from app_catalog.vendors.step import VendorStep, note
from app_catalog.wiring import Connection, Journal, Mail, Person, Row
from app_catalog.words import marked

PATH = "/catalogue/vendor/join"
NO_INVITATION = marked("This invitation was used, was withdrawn, or is too old.")
LIFE = timedelta(days=7)
MAX_A_DAY = 20  # of one organisation: to addresses that may be anybody's
VENDOR_NAME = "SELECT name FROM catalogue.vendor WHERE id = %s FOR UPDATE"
SENT_LATELY = "SELECT count(*) AS n FROM catalogue.vendor_invitation WHERE vendor_id = %s AND created_at > %s"
ADD = """INSERT INTO catalogue.vendor_invitation (id, hash, vendor_id, email, role, invited_by, invited_by_name,
    created_at, expires_at)
  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""
OPEN = """SELECT id, email, role, invited_by_name, expires_at AT TIME ZONE 'UTC' AS expires_at
  FROM catalogue.vendor_invitation
  WHERE vendor_id = %s AND accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at > %s ORDER BY created_at, id"""
WITHDRAW = """UPDATE catalogue.vendor_invitation SET withdrawn_at = %s
  WHERE id = %s AND vendor_id = %s AND accepted_at IS NULL AND withdrawn_at IS NULL RETURNING email, role"""
OF_LINK = """SELECT i.id, i.vendor_id, v.name AS vendor_name, i.email, i.role, i.invited_by_name
  FROM catalogue.vendor_invitation i JOIN catalogue.vendor v ON v.id = i.vendor_id
  WHERE i.hash = %s AND i.accepted_at IS NULL AND i.withdrawn_at IS NULL AND i.expires_at > %s"""
ACCEPT = """UPDATE catalogue.vendor_invitation SET accepted_by = %s, accepted_at = %s
  WHERE id = %s AND accepted_at IS NULL AND withdrawn_at IS NULL"""
# Who was a member before comes back as a new one; what happened in between is in the steps.
ADD_MEMBER = """INSERT INTO catalogue.vendor_member (vendor_id, person, added_at, role, display_name)
  VALUES (%s, %s, %s, %s, %s) ON CONFLICT (vendor_id, person) DO UPDATE
  SET added_at = excluded.added_at, role = excluded.role, display_name = excluded.display_name, left_at = NULL"""


async def invite(
    connection: Connection,
    vendor_id: UUID,
    email: str,
    role: Role,
    *,
    person: Person,
    mail: Mail,
    issuer: str,
    journal: Journal,
    now: datetime,
) -> None:
    """Send the address a link. Owners only. Raises NotAllowed, Unacceptable, or WrongState after too many in a day."""
    address = mailbox(email, "/email")
    async with connection.transaction():
        await require(connection, vendor_id, person, Role.OWNER)
        [vendor] = await (await connection.execute(VENDOR_NAME, (vendor_id,))).fetchall()
        [sent] = await (await connection.execute(SENT_LATELY, (vendor_id, now - timedelta(days=1)))).fetchall()
        if sent.n >= MAX_A_DAY:
            raise WrongState("Many invitations were sent today: go on tomorrow.")
        token, until = new_secret(), now + LIFE
        await connection.execute(
            ADD,
            (uuid4(), sha256(token), vendor_id, address, role.value, person.id, person.display_name, now, until),
        )
        link = f"{issuer}{PATH}?token={token}"
        await mail.send(connection, address, *letters.invitation(vendor.name, person.display_name, role, link, until))
        await note(
            connection, vendor_id, VendorStep.INVITED, person=person, journal=journal, now=now, about=address, role=role
        )


async def open_invitations(connection: Connection, vendor_id: UUID, now: datetime) -> list[Row]:
    """`id`, `email`, `role`, `invited_by_name`, `expires_at` (UTC, without a zone) of those that can be accepted."""
    return await (await connection.execute(OPEN, (vendor_id, now))).fetchall()


async def withdraw_invitation(
    connection: Connection, vendor_id: UUID, invitation_id: UUID, *, person: Person, journal: Journal, now: datetime
) -> None:
    """Owners only. Raises NotAllowed, or Unknown for one that was accepted or withdrawn."""
    async with connection.transaction():
        await require(connection, vendor_id, person, Role.OWNER)
        row = await (await connection.execute(WITHDRAW, (now, invitation_id, vendor_id))).fetchone()
        if row is None:
            raise Unknown
        await note(
            connection, vendor_id, VendorStep.INVITATION_WITHDRAWN, person=person, journal=journal, now=now,
            about=row.email, role=Role(row.role),
        )  # fmt: skip


async def invitation_of_link(connection: Connection, token: str, now: datetime) -> Row:
    """`id`, `vendor_id`, `vendor_name`, `email`, `role`, `invited_by_name`. Raises Unknown."""
    row = await (await connection.execute(OF_LINK, (sha256(token), now))).fetchone()
    if row is None:
        raise Unknown(NO_INVITATION)
    return row


async def accept_invitation(
    connection: Connection, token: str, *, person: Person, journal: Journal, now: datetime
) -> UUID:
    """`person` joins; returns the organisation. Raises NotAllowed for who is no vendor here, Unknown, or WrongState for
    who is a member already: then the invitation stays for somebody else."""
    if person.kind != "vendor":
        raise NotAllowed
    async with connection.transaction():
        row = await invitation_of_link(connection, token, now)
        if await role_of(connection, row.vendor_id, person.id) is not None:
            raise WrongState("You are a member of this organisation already.")
        if (await connection.execute(ACCEPT, (person.id, now, row.id))).rowcount != 1:
            raise Unknown
        await connection.execute(ADD_MEMBER, (row.vendor_id, person.id, now, row.role, person.display_name))
        await note(
            connection, row.vendor_id, VendorStep.JOINED, person=person, journal=journal, now=now, about=row.email,
            role=Role(row.role),
        )  # fmt: skip
    return UUID(str(row.vendor_id))
