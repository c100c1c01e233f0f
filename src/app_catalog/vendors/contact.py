"""The mail address at which an organisation is reached: good once somebody followed the link that was sent to it."""

from datetime import datetime, timedelta
from uuid import UUID

from app_catalog.errors import Unknown, WrongState
from app_catalog.oauth.secret_text import new_secret, sha256
from app_catalog.vendors import letters
from app_catalog.vendors.mailbox import mailbox
from app_catalog.vendors.role import Role, require
from app_catalog.vendors.step import VendorStep, note
from app_catalog.wiring import Connection, Journal, Mail, Person, Row
from app_catalog.words import marked

PATH = "/catalogue/vendor/contact"
NO_LINK = marked("This link was used before, is too old, or was replaced by another one.")
LINK_LIFE = timedelta(days=2)
MAX_LINKS_AN_HOUR = 5  # to addresses that may be anybody's
VENDOR = "SELECT name, contact_email, contact_verified_at FROM catalogue.vendor WHERE id = %s FOR UPDATE"
SET_CONTACT = "UPDATE catalogue.vendor SET contact_email = %s, contact_verified_at = NULL WHERE id = %s"
SENT_LATELY = "SELECT count(*) AS n FROM catalogue.contact_check WHERE vendor_id = %s AND created_at > %s"
VOID_LINKS = "UPDATE catalogue.contact_check SET used_at = %s WHERE vendor_id = %s AND used_at IS NULL"
ADD_LINK = """INSERT INTO catalogue.contact_check (hash, vendor_id, email, created_at, expires_at)
  VALUES (%s, %s, %s, %s, %s)"""
LINK = """SELECT c.vendor_id, c.email, v.name
  FROM catalogue.contact_check c JOIN catalogue.vendor v ON v.id = c.vendor_id
  WHERE c.hash = %s AND c.used_at IS NULL AND c.expires_at > %s AND c.email = v.contact_email"""
USE_LINK = "UPDATE catalogue.contact_check SET used_at = %s WHERE hash = %s AND used_at IS NULL"
VERIFIED = "UPDATE catalogue.vendor SET contact_verified_at = %s WHERE id = %s"
IS_VERIFIED = "SELECT contact_verified_at IS NOT NULL AS verified FROM catalogue.vendor WHERE id = %s"


async def set_contact(
    connection: Connection,
    vendor_id: UUID,
    email: str,
    *,
    person: Person,
    mail: Mail,
    issuer: str,
    journal: Journal,
    now: datetime,
) -> None:
    """The address is the organisation's contact from now on, and is sent a link by which to confirm it; links that were
    sent before work no more. Owners only.

    Raises NotAllowed, Unacceptable, and WrongState for an address that is confirmed already or too many links.
    """
    address = mailbox(email, "/contact_email")
    async with connection.transaction():
        await require(connection, vendor_id, person, Role.OWNER)
        [vendor] = await (await connection.execute(VENDOR, (vendor_id,))).fetchall()
        if vendor.contact_email == address and vendor.contact_verified_at is not None:
            raise WrongState("This address is confirmed.")
        [sent] = await (await connection.execute(SENT_LATELY, (vendor_id, now - timedelta(hours=1)))).fetchall()
        if sent.n >= MAX_LINKS_AN_HOUR:
            raise WrongState("Several links were sent already: wait an hour.")
        token, until = new_secret(), now + LINK_LIFE
        await connection.execute(VOID_LINKS, (now, vendor_id))
        await connection.execute(ADD_LINK, (sha256(token), vendor_id, address, now, until))
        await mail.send(connection, address, *letters.contact(vendor.name, f"{issuer}{PATH}?token={token}", until))
        if vendor.contact_email != address:
            await connection.execute(SET_CONTACT, (address, vendor_id))
            await note(
                connection, vendor_id, VendorStep.CONTACT_SET, person=person, journal=journal, now=now, about=address
            )


async def contact_of_link(connection: Connection, token: str, now: datetime) -> Row:
    """`vendor_id`, `name` and `email` that a link would confirm. Raises Unknown for one that does not work."""
    row = await (await connection.execute(LINK, (sha256(token), now))).fetchone()
    if row is None:
        raise Unknown(NO_LINK)
    return row


async def confirm_contact(
    connection: Connection, token: str, *, person: Person | None, journal: Journal, now: datetime
) -> None:
    """Whoever has the link reads what is sent to the address: nobody has to sign in. Raises Unknown."""
    async with connection.transaction():
        row = await contact_of_link(connection, token, now)
        if (await connection.execute(USE_LINK, (now, sha256(token)))).rowcount != 1:
            raise Unknown
        await connection.execute(VERIFIED, (now, row.vendor_id))
        await note(
            connection, row.vendor_id, VendorStep.CONTACT_VERIFIED, person=person, journal=journal, now=now,
            about=row.email,
        )  # fmt: skip


async def require_verified(connection: Connection, vendor_id: UUID) -> None:
    """Raises WrongState where nobody has shown yet that the organisation can be reached."""
    row = await (await connection.execute(IS_VERIFIED, (vendor_id,))).fetchone()
    if row is None or not row.verified:
        raise WrongState("Confirm the contact address of your organisation first: we have to reach you about the app.")
