"""Apps as approved: reading them, and the values that everything else works with."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from uuid import UUID

from app_catalog.catalogue.status import EFFECTS, Effect, Status
from app_catalog.clients.credentials import Credentials, stored_credentials
from app_catalog.oauth.algorithms import Algorithm
from app_catalog.scopes.grammar import Scopes, parse
from app_catalog.scopes.narrowing import union
from app_catalog.wiring import Connection, Row, Texts

# An app with the description in force: the approved application, or for a candidate the newest that was submitted.
_APPS = """SELECT a.id, a.vendor_id, n.name AS vendor_name, a.client_id, a.status, a.secret_hash, a.secret_issued_at,
    a.former_secret_hash, a.former_secret_until, a.credentials, a.credentials_set_at,
    a.created_at, v.id AS application_id, v.name, v.description_fr, v.description_en, v.profile, v.redirect_uris,
    v.launch_uri, v.id_token_signed_response_alg,
    (SELECT jsonb_agg(to_jsonb(p) ORDER BY p.position) FROM catalogue.purpose p
      WHERE p.application_id = v.id) AS purposes
  FROM catalogue.app a JOIN catalogue.vendor n ON n.id = a.vendor_id
  JOIN catalogue.application v ON v.id = coalesce(a.application_id, (SELECT w.id FROM catalogue.application w
    WHERE w.app_id = a.id AND w.submitted_at IS NOT NULL ORDER BY w.version DESC LIMIT 1))"""
APP_BY_ID = f"{_APPS} WHERE a.id = %(id)s"
UNDECIDED = "('submitted', 'admissible')"
APP_BY_CLIENT = f"""{_APPS} WHERE a.client_id = %(client_id)s
  AND (a.status <> 'CANDIDATE' OR v.state IN {UNDECIDED})"""
# The same with the description that waits for a decision. At most one does.
TESTED_APP = f"""{_APPS.partition("JOIN catalogue.application v")[0]}
  JOIN catalogue.application v ON v.app_id = a.id AND v.state IN {UNDECIDED}
  WHERE a.id = %(id)s ORDER BY v.version DESC LIMIT 1"""
APPS_BY_STATUS = f"{_APPS} WHERE a.status = ANY(%(statuses)s) ORDER BY lower(v.name), a.id"
APPS_BY_ID = f"{_APPS} WHERE a.id = ANY(%(ids)s)"
APPS_OF_VENDORS = f"{_APPS} WHERE a.vendor_id = ANY(%(vendors)s) ORDER BY a.created_at DESC, a.id"


@dataclass(frozen=True)
class Purpose:
    """A reason ("finalité") for which an app wants data. Its texts never change: a new version is a new purpose.

    same_as  the first purpose of the app that says all of it word for word; its own id where it is new
    """

    id: UUID
    same_as: UUID
    key: str
    name: Texts
    wording: Texts
    required: bool
    retention_days: int
    read_scope: str
    write_scope: str

    @property
    def reads(self) -> Scopes:
        return parse(self.read_scope)

    @property
    def writes(self) -> Scopes:
        return parse(self.write_scope)

    @property
    def scopes(self) -> Scopes:
        return parse(f"{self.read_scope} {self.write_scope}")


@dataclass(frozen=True)
class App:
    """An app with its description in force.

    secret_hash  SHA-256 of its secret, None for a public client
    launch_uri   where the portal opens the app; None for one that it does not open
    tested       as its undecided application describes it: for the spaces of simulated patients only
    """

    id: UUID
    vendor_id: UUID
    vendor_name: str
    client_id: str
    status: Status
    application_id: UUID
    name: str
    description: Texts
    profile: str
    redirect_uris: tuple[str, ...]
    purposes: tuple[Purpose, ...]
    secret_hash: bytes | None
    secret_issued_at: datetime | None
    former_secret_hash: bytes | None
    former_secret_until: datetime | None
    credentials: Credentials | None
    credentials_set_at: datetime | None
    created_at: datetime
    launch_uri: str | None
    id_token_signed_response_alg: Algorithm
    tested: bool = False

    @property
    def effect(self) -> Effect:
        return EFFECTS[Status.PRE_SERIES if self.tested else self.status]

    @property
    def opens(self) -> bool:
        """Whether the portal can open it for a patient."""
        return self.launch_uri is not None and self.effect.pairs

    @cached_property
    def scopes(self) -> Scopes:
        """All that the app may ever be granted on resources: the union of its purposes."""
        return union(purpose.scopes for purpose in self.purposes)


async def app_by_id(connection: Connection, app_id: UUID) -> App | None:
    return _app(await (await connection.execute(APP_BY_ID, {"id": app_id})).fetchone())


async def app_by_client(connection: Connection, client_id: str) -> App | None:
    """The app that a client id names, whatever its status; a candidate while it waits for a decision."""
    app = _app(await (await connection.execute(APP_BY_CLIENT, {"client_id": client_id})).fetchone())
    return replace(app, tested=True) if app is not None and app.status is Status.CANDIDATE else app


async def tested_app(connection: Connection, app_id: UUID) -> App | None:
    """The app as the application describes it that waits for a decision; None where none does."""
    app = _app(await (await connection.execute(TESTED_APP, {"id": app_id})).fetchone())
    return replace(app, tested=True) if app is not None else None


async def apps_by_status(connection: Connection, statuses: Iterable[Status]) -> list[App]:
    rows = await (await connection.execute(APPS_BY_STATUS, {"statuses": list(statuses)})).fetchall()
    return [app for row in rows if (app := _app(row))]


async def apps_by_id(connection: Connection, ids: Iterable[UUID]) -> list[App]:
    """In any order."""
    rows = await (await connection.execute(APPS_BY_ID, {"ids": list(ids)})).fetchall()
    return [app for row in rows if (app := _app(row))]


async def apps_of_vendors(connection: Connection, vendors: Iterable[UUID]) -> list[App]:
    rows = await (await connection.execute(APPS_OF_VENDORS, {"vendors": list(vendors)})).fetchall()
    return [app for row in rows if (app := _app(row))]


def purpose_from(columns: dict[str, object]) -> Purpose:
    """A row of `catalogue.purpose` as JSON."""
    return Purpose(
        id=UUID(str(columns["id"])),
        same_as=UUID(str(columns["same_as"])),
        key=str(columns["key"]),
        name={"fr": str(columns["name_fr"]), "en": str(columns["name_en"])},
        wording={"fr": str(columns["wording_fr"]), "en": str(columns["wording_en"])},
        required=bool(columns["required"]),
        retention_days=int(str(columns["retention_days"])),
        read_scope=str(columns["read_scope"]),
        write_scope=str(columns["write_scope"]),
    )


def _app(row: Row | None) -> App | None:
    if row is None:
        return None
    return App(
        id=row.id,
        vendor_id=row.vendor_id,
        vendor_name=row.vendor_name,
        client_id=row.client_id,
        status=Status(row.status),
        application_id=row.application_id,
        name=row.name,
        description={"fr": row.description_fr, "en": row.description_en},
        profile=row.profile,
        redirect_uris=tuple(row.redirect_uris),
        purposes=tuple(purpose_from(columns) for columns in row.purposes or ()),
        secret_hash=row.secret_hash,
        secret_issued_at=row.secret_issued_at,
        former_secret_hash=row.former_secret_hash,
        former_secret_until=row.former_secret_until,
        credentials=stored_credentials(row.credentials),
        credentials_set_at=row.credentials_set_at,
        created_at=row.created_at,
        launch_uri=row.launch_uri,
        id_token_signed_response_alg=row.id_token_signed_response_alg,
    )
