"""What the members of a vendor's organisation may do: owners everything, developers the work on apps, viewers read."""

from enum import StrEnum
from uuid import UUID

from app_catalog.errors import NotAllowed
from app_catalog.program import NotByProgram, Program
from app_catalog.wiring import Connection, Person
from app_catalog.words import marked

ROLE_OF = "SELECT role FROM catalogue.vendor_member WHERE vendor_id = %s AND person = %s AND left_at IS NULL"


class Role(StrEnum):
    OWNER = "owner"  # members, the contact and the OID as well
    DEVELOPER = "developer"  # applications, secrets, keys, simulated patients
    VIEWER = "viewer"

    @property
    def label(self) -> str:
        """For people, as an English msgid."""
        return LABELS[self]


LABELS = {Role.OWNER: marked("owner"), Role.DEVELOPER: marked("developer"), Role.VIEWER: marked("viewer")}
WRITERS = (Role.OWNER, Role.DEVELOPER)


async def role_of(connection: Connection, vendor_id: UUID, person_id: UUID) -> Role | None:
    """The role of a present member; None for everybody else."""
    row = await (await connection.execute(ROLE_OF, (vendor_id, person_id))).fetchone()
    return Role(row.role) if row else None


async def require(connection: Connection, vendor_id: UUID, person: Person, *roles: Role) -> Role:
    """The role of `person`, one of `roles`; without any, being a member is enough. Raises NotAllowed.

    Whatever changes something names the roles that may. A program has no role but in the organisation of its key
    (Unknown), none of `roles` with a key for reading (ReadOnly), and is no owner (NotByProgram).
    """
    if isinstance(person, Program):
        person.check(vendor_id, writing=bool(roles))
        if roles == (Role.OWNER,):
            raise NotByProgram
    role = await role_of(connection, vendor_id, person.id)
    if role is None:
        raise NotAllowed
    if roles and role not in roles:
        raise NotAllowed("Your role in this organisation does not let you do this.")
    return role
