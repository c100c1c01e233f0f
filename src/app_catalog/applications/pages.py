"""A vendor's pages: its apps and applications, a new draft, a new secret."""

from collections import defaultdict
from datetime import timedelta
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.applications.draft import begin_app, begin_version
from app_catalog.applications.labels import STATES
from app_catalog.catalogue.apps import apps_of_vendors
from app_catalog.catalogue.secret import OVERLAP, rotate_secret
from app_catalog.catalogue.status import Status
from app_catalog.errors import BadForm, NotAllowed
from app_catalog.oauth.browser import guarded
from app_catalog.oauth.profiles import PROFILES
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.vendors.role import WRITERS
from app_catalog.wiring import Connection, Row, Wiring

UNDECIDED = frozenset({"draft", "submitted", "admissible"})
# Without drafts that were discarded before anybody else saw them.
APPLICATIONS_OF_VENDORS = """SELECT v.id, v.app_id, a.status, v.name, v.version, v.state, v.reason, m.role,
    v.submitted_at AT TIME ZONE 'UTC' AS submitted_at,
    v.decided_at AT TIME ZONE 'UTC' AS decided_at
  FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id
  JOIN catalogue.vendor_member m ON m.vendor_id = a.vendor_id AND m.person = %s AND m.left_at IS NULL
  WHERE v.state = 'draft' OR v.submitted_at IS NOT NULL ORDER BY v.created_at DESC, v.id"""
MEMBERSHIPS = """SELECT n.id, n.name, m.role
  FROM catalogue.vendor n JOIN catalogue.vendor_member m ON m.vendor_id = n.id
  WHERE m.person = %s AND m.left_at IS NULL ORDER BY lower(n.name), n.id"""


async def overview(wiring: Wiring, request: Request) -> Response:
    person = await signed_in(wiring, request, "vendor")
    async with wiring.pool.connection() as connection:
        memberships = await _memberships(connection, person.id)
        vendors = [row.id for row in memberships]
        writable = {row.id for row in memberships if row.role in WRITERS}
        apps = [app for app in await apps_of_vendors(connection, vendors) if app.status is not Status.CANDIDATE]
        applications = await (await connection.execute(APPLICATIONS_OF_VENDORS, (person.id,))).fetchall()
    context = {
        "vendors": memberships,
        "apps": [
            {
                "app": app,
                "has_secret": PROFILES[app.profile].has_secret,
                "has_keys": PROFILES[app.profile].has_keys,
                "is_writer": app.vendor_id in writable,
            }
            for app in apps
        ],
        "applications": applications,
        "states": STATES,
        "writers": WRITERS,
        "renewable": _renewable(applications),
        "csrf_token": person.csrf_token,
    }
    return wiring.render(request, "app_catalog/vendor.html", context)


async def new_secret(wiring: Wiring, request: Request) -> Response:
    """The one page on which a secret is ever seen."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    app_id = id_in_path(request, "app_id")
    keep = timedelta() if fields.get("end_former") else OVERLAP
    async with wiring.pool.connection() as connection:
        secret = await rotate_secret(
            connection, app_id, person=person, journal=wiring.journal, now=wiring.clock(), keep_former=keep
        )
    return guarded(wiring.render(request, "app_catalog/secret.html", {"secret": secret}))


async def apply(wiring: Wiring, request: Request) -> Response:
    """The start of a new app: its name, and for which organisation."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person) if request.method == "POST" else None
    async with wiring.pool.connection() as connection:
        vendors = await _memberships(connection, person.id)
        if not vendors:
            return see_other("/catalogue/vendor/register")
        writable = [row for row in vendors if row.role in WRITERS]
        if not writable:
            raise NotAllowed("Your role in this organisation does not let you do this.")
        if fields is None:
            context = {"vendors": writable, "csrf_token": person.csrf_token}
            return wiring.render(request, "app_catalog/apply.html", context)
        vendor = _id(fields.get("vendor")) or writable[0].id
        name = fields.text("name").strip()[:80]
        draft = await begin_app(connection, name, vendor_id=vendor, person=person, now=wiring.clock())
    return see_other(f"/catalogue/vendor/applications/{draft}")


async def new_version(wiring: Wiring, request: Request) -> Response:
    """A further version: a copy of the one in force, or of the application named ``base``."""
    person = await signed_in(wiring, request, "vendor")
    fields = await posted(request, person)
    async with wiring.pool.connection() as connection:
        draft = await begin_version(
            connection,
            id_in_path(request, "app_id"),
            person=person,
            now=wiring.clock(),
            choices=wiring.choices,
            base=_id(fields.get("base")),
        )
    return see_other(f"/catalogue/vendor/applications/{draft}")


def _renewable(applications: list[Row]) -> frozenset[UUID]:
    """The newest application of each app that waits for nothing: from it a new version may begin."""
    of_app: dict[UUID, list[Row]] = defaultdict(list)
    for row in applications:
        of_app[row.app_id].append(row)
    return frozenset(
        max(rows, key=lambda row: row.version).id
        for rows in of_app.values()
        if rows[0].role in WRITERS
        and rows[0].status != Status.DEREFERENCED
        and not any(row.state in UNDECIDED for row in rows)
    )


async def _memberships(connection: Connection, person: UUID) -> list[Row]:
    return await (await connection.execute(MEMBERSHIPS, (person,))).fetchall()


def _id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise BadForm from None
