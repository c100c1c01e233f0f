"""For whom a key asks: the organisation, the role of the key's maker in it, its members."""

from typing import Final, Literal
from uuid import UUID

from pydantic import Field

from app_catalog.api.model import Instant, Model
from app_catalog.api.operation import Call
from app_catalog.api.own import role_of_program
from app_catalog.vendors.members import members_of
from app_catalog.vendors.vendor import vendor_by_id

KEY: Final = "SELECT name, person_name, expires_at FROM catalogue.access_key WHERE id = %s"
RoleName = Literal["owner", "developer", "viewer"]


class KeyShown(Model):
    name: str
    made_by: str
    role: RoleName = Field(description="Of its maker, at this moment: what the key reaches.")
    may: Literal["read", "write"]
    expires_at: Instant


class Organisation(Model):
    id: UUID
    name: str
    contact: str
    contact_email: str | None
    contact_verified_at: Instant | None = Field(description="Nothing is submitted before.")
    oid: str | None
    access_key: KeyShown


class Member(Model):
    id: UUID
    name: str
    role: RoleName
    since: Instant


class Members(Model):
    items: tuple[Member, ...]


async def organisation(call: Call) -> Organisation:
    role = await role_of_program(call)
    vendor = await vendor_by_id(call.connection, call.vendor_id)
    [key] = await (await call.connection.execute(KEY, (call.program.key_id,))).fetchall()
    return Organisation(
        id=vendor.id,
        name=vendor.name,
        contact=vendor.contact,
        contact_email=vendor.contact_email,
        contact_verified_at=vendor.contact_verified_at,
        oid=vendor.oid,
        access_key=KeyShown(
            name=key.name, made_by=key.person_name, role=role.value, may="write" if call.program.writes else "read",
            expires_at=key.expires_at,
        ),
    )  # fmt: skip


async def members(call: Call) -> Members:
    await role_of_program(call)
    rows = await members_of(call.connection, call.vendor_id)
    return Members(
        items=tuple(Member(id=row.person, name=row.display_name, role=row.role, since=row.added_at) for row in rows)
    )
