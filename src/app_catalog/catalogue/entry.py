"""An app as the public catalogue shows it: with what was published of it, its vendor, and how long it is agreed on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from app_catalog.applications.published import Published
from app_catalog.applications.stored import published_of
from app_catalog.catalogue.apps import App, apps_by_id
from app_catalog.wiring import Connection

PUBLISHED: Final = """SELECT a.id, v.links, v.economic_model, v.regions, v.themes, v.medical_device_class,
    v.medical_device_certificate, v.exchanges_data, v.logo, n.contact AS vendor_contact, n.oid AS vendor_oid,
    (SELECT max(g.ends_on) - 1 FROM catalogue.agreement g WHERE g.application_id = v.id AND g.accepted_at IS NOT NULL)
      AS agreed_until
  FROM catalogue.app a JOIN catalogue.vendor n ON n.id = a.vendor_id
  JOIN catalogue.application v ON v.id = a.application_id
  WHERE a.id = ANY(%s)"""


@dataclass(frozen=True)
class Entry:
    """logo: name of its picture, None for none · vendor_oid: without urn:oid: · agreed_until: its last day"""

    app: App
    published: Published
    exchanges_data: bool
    logo: str | None
    vendor_contact: str
    vendor_oid: str | None
    agreed_until: date | None


async def entries(connection: Connection, ids: Iterable[UUID]) -> list[Entry]:
    """The approved ones among `ids`, in their order."""
    wanted = list(ids)
    apps = {app.id: app for app in await apps_by_id(connection, wanted)}
    rows = {row.id: row for row in await (await connection.execute(PUBLISHED, (wanted,))).fetchall()}
    return [
        Entry(
            app=apps[one],
            published=published_of(rows[one]),
            exchanges_data=rows[one].exchanges_data,
            logo=bytes(rows[one].logo).hex() if rows[one].logo is not None else None,
            vendor_contact=rows[one].vendor_contact,
            vendor_oid=rows[one].vendor_oid,
            agreed_until=rows[one].agreed_until,
        )
        for one in wanted
        if one in rows
    ]
