"""Applications as they were submitted, read back."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app_catalog.applications.application import Application, PurposeDraft
from app_catalog.applications.published import Published
from app_catalog.wiring import Connection, Row

STORED = """SELECT v.*, (SELECT jsonb_agg(to_jsonb(p) ORDER BY p.position) FROM catalogue.purpose p
    WHERE p.application_id = v.id) AS purposes
  FROM catalogue.application v WHERE v.id = %s"""


@dataclass(frozen=True)
class StoredApplication:
    """`submitted_at` is None for a draft, whose `application` is empty but for its name."""

    id: UUID
    app_id: UUID
    version: int
    state: str
    application: Application
    same_as: tuple[UUID, ...]  # of its purposes
    logo: bytes | None
    criteria_version: int | None
    submitted_by: UUID | None
    submitted_at: datetime | None
    decided_at: datetime | None
    reason: str | None


async def stored_application(connection: Connection, application_id: UUID) -> StoredApplication | None:
    row = await (await connection.execute(STORED, (application_id,))).fetchone()
    if row is None:
        return None
    return StoredApplication(
        id=row.id,
        app_id=row.app_id,
        version=row.version,
        state=row.state,
        application=_application(row),
        same_as=tuple(UUID(purpose["same_as"]) for purpose in row.purposes or ()),
        logo=bytes(row.logo) if row.logo is not None else None,
        criteria_version=row.criteria_version,
        submitted_by=row.submitted_by,
        submitted_at=row.submitted_at,
        decided_at=row.decided_at,
        reason=row.reason,
    )


def published_of(row: Row) -> Published:
    """The part of a row of `catalogue.application` that the catalogue shows beside texts."""
    return Published(
        links=row.links,
        economic_model=row.economic_model,
        regions=tuple(row.regions),
        themes=tuple(row.themes),
        medical_device_class=row.medical_device_class,
        medical_device_certificate=row.medical_device_certificate,
    )


def _application(row: Row) -> Application:
    return Application(
        name=row.name,
        description={"fr": row.description_fr, "en": row.description_en},
        profile=row.profile,
        redirect_uris=tuple(row.redirect_uris),
        purposes=tuple(_purpose(columns) for columns in row.purposes or ()),
        launch_uri=row.launch_uri,
        id_token_signed_response_alg=row.id_token_signed_response_alg,
        exchanges_data=row.exchanges_data,
        published=published_of(row),
        changes={"fr": row.changes_fr, "en": row.changes_en},
    )


def _purpose(columns: dict[str, str]) -> PurposeDraft:
    """A row of `catalogue.purpose` as JSON."""
    return PurposeDraft(
        key=columns["key"],
        name={"fr": columns["name_fr"], "en": columns["name_en"]},
        wording={"fr": columns["wording_fr"], "en": columns["wording_en"]},
        required=bool(columns["required"]),
        retention_days=int(columns["retention_days"]),
        read_scope=columns["read_scope"],
        write_scope=columns["write_scope"],
        justification=columns["justification"],
    )
