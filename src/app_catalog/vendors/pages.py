"""A vendor's pages about its organisation: members, invitations, the contact, the OID, and what was done so far."""

from collections.abc import Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app_catalog.errors import BadForm, Fault, NotAllowed, Unacceptable
from app_catalog.form import Fields, Malformed, read_body
from app_catalog.oauth.browser import guarded
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.vendors import contact, invitation
from app_catalog.vendors.contact import confirm_contact, contact_of_link, set_contact
from app_catalog.vendors.invitation import (
    accept_invitation,
    invitation_of_link,
    invite,
    open_invitations,
    withdraw_invitation,
)
from app_catalog.vendors.members import change_role, end_membership, members_of
from app_catalog.vendors.oid import set_oid
from app_catalog.vendors.role import WRITERS, Role, require
from app_catalog.vendors.step import VendorStep, steps_of
from app_catalog.vendors.vendor import register_vendor, vendor_by_id
from app_catalog.wiring import Connection, Person, Wiring

HOME = "/catalogue/vendor"


def organisation_path(vendor_id: UUID) -> str:
    return f"{HOME}/organisations/{vendor_id}"


async def register(wiring: Wiring, request: Request) -> Response:
    """A new organisation; its contact is sent a link at once."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person) if request.method == "POST" else Fields(())
    if request.method == "GET":
        return _register_page(wiring, request, person, fields)
    try:
        async with wiring.pool.connection() as connection, connection.transaction():
            vendor_id = await register_vendor(
                connection,
                name=fields.text("vendor_name"),
                contact=fields.text("vendor_contact"),
                person=person,
                journal=wiring.journal,
                now=wiring.clock(),
            )
            await _set_contact(wiring, connection, vendor_id, fields, person)
    except Unacceptable as unacceptable:
        return _register_page(wiring, request, person, fields, unacceptable.faults)
    return see_other(organisation_path(vendor_id))


async def organisation(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    return await _organisation_page(wiring, request, person, Fields(()))


async def change(wiring: Wiring, request: Request) -> Response:
    """``action``: ``contact``, ``oid``, ``invite``, ``withdraw``, ``role`` or ``end``."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    vendor_id = id_in_path(request, "vendor_id")
    try:
        async with wiring.pool.connection() as connection:
            await _change(wiring, connection, vendor_id, fields, person)
    except Unacceptable as unacceptable:
        return await _organisation_page(wiring, request, person, fields, unacceptable.faults)
    left = fields.get("action") == "end" and fields.get("member") == str(person.id)
    return see_other(HOME if left else organisation_path(vendor_id))


async def join(wiring: Wiring, request: Request) -> Response:
    """Where the link of an invitation leads: to a page that says what it is, and to a button."""
    fields = await _of_link(request)
    token = fields.text("token")
    person = await wiring.signed_in(request)
    if person is None:
        return RedirectResponse(wiring.login_url(f"{invitation.PATH}?token={token}"), status_code=303)
    if person.kind != "vendor":
        raise NotAllowed("Invitations are for accounts of vendors: sign in with such an account, or ask for one.")
    async with wiring.pool.connection() as connection:
        if request.method == "POST":
            fields = await posted(request, person)
            vendor_id = await accept_invitation(
                connection, fields.text("token"), person=person, journal=wiring.journal, now=wiring.clock()
            )
            return see_other(organisation_path(vendor_id))
        row = await invitation_of_link(connection, token, wiring.clock())
    context = {
        "invitation": row,
        "role": Role(row.role),
        "person": person,
        "token": token,
        "csrf_token": person.csrf_token,
    }
    return guarded(wiring.render(request, "app_catalog/join.html", context))


async def confirm(wiring: Wiring, request: Request) -> Response:
    """Where the link to a contact leads. A button confirms it, for programs follow links in mails by themselves. Who
    has the link needs no account, and no form of another site could know it."""
    try:
        fields = await read_body(request) if request.method == "POST" else await _of_link(request)
    except Malformed:
        raise BadForm from None
    token = fields.text("token")
    async with wiring.pool.connection() as connection:
        row = await contact_of_link(connection, token, wiring.clock())
        if request.method == "POST":
            person = await wiring.signed_in(request)
            await confirm_contact(connection, token, person=person, journal=wiring.journal, now=wiring.clock())
    context = {"row": row, "token": token, "done": request.method == "POST", "home": HOME, "action": contact.PATH}
    return guarded(wiring.render(request, "app_catalog/contact.html", context))


async def _of_link(request: Request) -> Fields:
    return Fields(tuple((name, value) for name, value in request.query_params.multi_items()))


async def _set_contact(wiring: Wiring, connection: Connection, vendor_id: UUID, fields: Fields, person: Person) -> None:
    await set_contact(
        connection,
        vendor_id,
        fields.text("contact_email"),
        person=person,
        mail=wiring.mail,
        issuer=wiring.issuer,
        journal=wiring.journal,
        now=wiring.clock(),
    )


async def _change(wiring: Wiring, connection: Connection, vendor_id: UUID, fields: Fields, person: Person) -> None:
    journal, now = wiring.journal, wiring.clock()
    match fields.get("action"):
        case "contact":
            await _set_contact(wiring, connection, vendor_id, fields, person)
        case "oid":
            await set_oid(connection, vendor_id, fields.text("oid"), person=person, journal=journal, now=now)
        case "invite":
            await invite(
                connection, vendor_id, fields.text("email"), _role(fields), person=person, mail=wiring.mail,
                issuer=wiring.issuer, journal=journal, now=now,
            )  # fmt: skip
        case "withdraw":
            invited = _id(fields, "invitation")
            await withdraw_invitation(connection, vendor_id, invited, person=person, journal=journal, now=now)
        case "role":
            member, role = _id(fields, "member"), _role(fields)
            await change_role(connection, vendor_id, member, role, person=person, journal=journal, now=now)
        case "end":
            member = _id(fields, "member")
            await end_membership(connection, vendor_id, member, person=person, journal=journal, now=now)
        case _:
            raise BadForm


def _role(fields: Fields) -> Role:
    try:
        return Role(fields.text("role"))
    except ValueError:
        raise BadForm from None


def _id(fields: Fields, name: str) -> UUID:
    try:
        return UUID(fields.text(name))
    except ValueError:
        raise BadForm from None


def _register_page(
    wiring: Wiring, request: Request, person: Person, fields: Fields, faults: Sequence[Fault] = ()
) -> Response:
    context = {"fields": fields.first, "faults": faults, "csrf_token": person.csrf_token}
    response = wiring.render(request, "app_catalog/register_vendor.html", context)
    if faults:
        response.status_code = Unacceptable.http_status
    return response


async def _organisation_page(
    wiring: Wiring, request: Request, person: Person, fields: Fields, faults: Sequence[Fault] = ()
) -> Response:
    vendor_id = id_in_path(request, "vendor_id")
    async with wiring.pool.connection() as connection:
        vendor = await vendor_by_id(connection, vendor_id)
        role = await require(connection, vendor_id, person)
        members = await members_of(connection, vendor_id)
        invitations = await open_invitations(connection, vendor_id, wiring.clock())
        steps = await steps_of(connection, vendor_id)
    context = {
        "vendor": vendor,
        "role": role,
        "is_owner": role is Role.OWNER,
        "is_writer": role in WRITERS,
        "roles": list(Role),
        "members": [{"row": row, "role": Role(row.role), "is_me": row.person == person.id} for row in members],
        "invitations": [{"row": row, "role": Role(row.role)} for row in invitations],
        "steps": [{"row": row, "step": VendorStep(row.step), "role": row.role and Role(row.role)} for row in steps],
        "fields": fields.first,
        "faults": faults,
        "here": organisation_path(vendor_id),
        "csrf_token": person.csrf_token,
    }
    response = wiring.render(request, "app_catalog/organisation.html", context)
    if faults:
        response.status_code = Unacceptable.http_status
    return response
