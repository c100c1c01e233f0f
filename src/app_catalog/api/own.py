"""What belongs to the organisation of a key. Everything else is not there: not another vendor's, not even by name."""

from typing import Final
from uuid import UUID

from app_catalog.api.operation import Call
from app_catalog.catalogue.apps import App, app_by_id
from app_catalog.errors import NotAllowed, Unknown
from app_catalog.vendors.role import WRITERS, Role, require
from app_catalog.wiring import Row

APP: Final = "SELECT a.id, a.client_id, a.status FROM catalogue.app a WHERE a.id = %s AND a.vendor_id = %s"
APPLICATION: Final = """SELECT v.id, v.app_id, v.state, v.submitted_at, v.logo, a.client_id
  FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id WHERE v.id = %s AND a.vendor_id = %s"""
AUDIT: Final = """SELECT d.id FROM catalogue.audit d JOIN catalogue.app a ON a.id = d.app_id
  WHERE d.id = %s AND a.vendor_id = %s"""
QUESTION: Final = """SELECT q.id FROM catalogue.question q JOIN catalogue.application v ON v.id = q.application_id
  JOIN catalogue.app a ON a.id = v.app_id WHERE q.id = %s AND a.vendor_id = %s AND v.id = %s"""


async def role_of_program(call: Call) -> Role:
    """The role that the key's maker has now."""
    return await require(call.connection, call.vendor_id, call.program)


async def own_app(call: Call) -> Row:
    """`id`, `client_id`, `status` of the app in the path. Raises Unknown."""
    return await _one(call, APP, call.id("app_id"))


async def described_app(call: Call) -> App:
    """The app in the path as it is approved, or as it was submitted. Raises Unknown, also before that."""
    app = await app_by_id(call.connection, (await own_app(call)).id)
    if app is None:
        raise Unknown("Nothing was submitted for this app yet.")
    return app


async def own_application(call: Call) -> Row:
    """`id`, `app_id`, `state`, `submitted_at`, `logo`, `client_id` of the application in the path. Of a draft whoever
    may write for the organisation knows. Raises Unknown or NotAllowed."""
    return await _application(call, call.id("application_id"))


async def own_question(call: Call) -> UUID:
    application = await own_application(call)
    row = await _one(call, QUESTION, call.id("question_id"), application.id)
    return UUID(str(row.id))


async def own_audit(call: Call) -> UUID:
    return UUID(str((await _one(call, AUDIT, call.id("audit_id"))).id))


async def _application(call: Call, application_id: UUID) -> Row:
    role = await role_of_program(call)
    row = await _one(call, APPLICATION, application_id)
    if row.state == "draft" and role not in WRITERS:
        raise NotAllowed("Your role in this organisation does not let you do this.")
    return row


async def _one(call: Call, query: str, wanted: UUID, *further: UUID) -> Row:
    row = await (await call.connection.execute(query, (wanted, call.vendor_id, *further))).fetchone()
    if row is None:
        raise Unknown
    return row
