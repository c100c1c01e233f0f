"""The object identifier of an organisation (ISO/IEC 9834-1): France registers below 1.2.250, any root will do."""

import re
from datetime import datetime
from uuid import UUID

from psycopg.errors import UniqueViolation

from app_catalog.errors import Fault, Unacceptable
from app_catalog.vendors.role import Role, require
from app_catalog.vendors.step import VendorStep, note
from app_catalog.wiring import Connection, Journal, Person

MAX_LENGTH = 200  # characters; registered ones have some thirty
SET_OID = "UPDATE catalogue.vendor SET oid = %s WHERE id = %s"

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*)){3,}")  # an organisation's is at least four arcs deep
_SECOND_BELOW_40 = frozenset("01")  # X.660 §7.6: below the roots 0 and 1


async def set_oid(
    connection: Connection, vendor_id: UUID, text: str, *, person: Person, journal: Journal, now: datetime
) -> None:
    """The organisation's OID, with or without ``urn:oid:``; empty: none any more. Owners only.

    Raises NotAllowed, and Unacceptable for what is none or is another organisation's.
    """
    oid = text.strip().removeprefix("urn:oid:")
    if oid and not _is_oid(oid):
        raise Unacceptable(Fault("/oid", "This is not an OID: numbers with dots, for instance 1.2.250.1.999."))
    async with connection.transaction():
        await require(connection, vendor_id, person, Role.OWNER)
        try:
            async with connection.transaction():
                await connection.execute(SET_OID, (oid or None, vendor_id))
        except UniqueViolation:
            raise Unacceptable(Fault("/oid", "Another organisation has this OID.")) from None
        await note(
            connection, vendor_id, VendorStep.OID_SET, person=person, journal=journal, now=now, about=oid or None
        )


def _is_oid(text: str) -> bool:
    if len(text) > MAX_LENGTH or not _OID.fullmatch(text):
        return False
    first, second, *_ = text.split(".")
    return first not in _SECOND_BELOW_40 or int(second) < 40
