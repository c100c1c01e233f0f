"""Apps of a vendor: what each is now, and which of its applications count."""

from datetime import date
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field

from app_catalog.api.model import Instant, Model, Page, Paging
from app_catalog.api.operation import Call
from app_catalog.api.own import own_app, role_of_program
from app_catalog.errors import Unknown
from app_catalog.wiring import Row

StatusName = Literal["CANDIDATE", "PRE_SERIES", "ONLINE", "OFFLINE", "SUSPENDED", "DEREFERENCED"]
# An app whose drafts were all discarded is nothing any more.
APPS: Final = """SELECT a.id, a.client_id, a.status, a.created_at, a.application_id, u.id AS undecided, u.state,
    coalesce(f.name, u.name, n.name, '') AS name, g.ends_on, count(*) OVER () AS total
  FROM catalogue.app a
  LEFT JOIN catalogue.application f ON f.id = a.application_id
  LEFT JOIN LATERAL (SELECT id, name, state FROM catalogue.application WHERE app_id = a.id
    AND state IN ('draft', 'submitted', 'admissible') ORDER BY version DESC LIMIT 1) u ON true
  LEFT JOIN LATERAL (SELECT name FROM catalogue.application WHERE app_id = a.id AND submitted_at IS NOT NULL
    ORDER BY version DESC LIMIT 1) n ON true
  LEFT JOIN LATERAL (SELECT ends_on FROM catalogue.agreement WHERE application_id = f.id AND accepted_at IS NOT NULL
    ORDER BY offered_at DESC, ends_on DESC LIMIT 1) g ON true
  WHERE a.vendor_id = %(vendor)s AND (%(app)s::uuid IS NULL OR a.id = %(app)s)
    AND (u.id IS NOT NULL OR n.name IS NOT NULL)
  ORDER BY a.created_at DESC, a.id LIMIT %(limit)s OFFSET %(offset)s"""


class AppShown(Model):
    id: UUID
    client_id: str
    name: str
    status: StatusName
    created_at: Instant
    application_in_force: UUID | None
    application_undecided: UUID | None = Field(description="A draft, or what waits for a decision.")
    undecided_state: Literal["draft", "submitted", "admissible"] | None
    agreement_ends_on: date | None


async def apps(call: Call) -> Page[AppShown]:
    await role_of_program(call)
    paging: Paging = call.query
    rows = await _rows(call, app=None, limit=paging.limit, offset=paging.offset)
    return call.page(tuple(_app(row) for row in rows), rows[0].total if rows else 0)


async def app(call: Call) -> AppShown:
    await role_of_program(call)
    known = await own_app(call)
    rows = await _rows(call, app=known.id, limit=1, offset=0)
    if not rows:
        raise Unknown
    return _app(rows[0])


async def _rows(call: Call, **values: Any) -> list[Row]:
    return await (await call.connection.execute(APPS, values | {"vendor": call.vendor_id})).fetchall()


def _app(row: Row) -> AppShown:
    return AppShown(
        id=row.id, client_id=row.client_id, name=row.name, status=row.status, created_at=row.created_at,
        application_in_force=row.application_id, application_undecided=row.undecided, undecided_state=row.state,
        agreement_ends_on=row.ends_on,
    )  # fmt: skip
