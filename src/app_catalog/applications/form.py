"""The application form: its fields to an `Application` and back. Nothing is checked here."""

from app_catalog.applications.application import Application, PurposeDraft
from app_catalog.form import Fields
from app_catalog.oauth.algorithms import ALGORITHMS

PURPOSES_ON_FORM = 6  # field sets on the page; more purposes come by the command line


def application_from(fields: Fields) -> Application:
    """What the form says. Field sets of purposes that were left empty are left out."""
    return Application(
        name=fields.text("name"),
        description={"fr": fields.text("description_fr"), "en": fields.text("description_en")},
        profile=fields.text("profile"),
        redirect_uris=tuple(fields.text("redirect_uris").split()),
        launch_uri=fields.text("launch_uri").strip() or None,
        id_token_signed_response_alg=fields.get("id_token_signed_response_alg") or ALGORITHMS[0],
        purposes=tuple(
            purpose
            for number in range(PURPOSES_ON_FORM)
            if (purpose := _purpose(fields, f"purpose-{number}-")) is not None
        ),
    )


def _purpose(fields: Fields, prefix: str) -> PurposeDraft | None:
    if not any(fields.get(prefix + name) for name in ("key", "name_fr", "name_en", "wording_fr", "wording_en")):
        return None
    days = fields.text(prefix + "retention_days")
    return PurposeDraft(
        key=fields.text(prefix + "key"),
        name={"fr": fields.text(prefix + "name_fr"), "en": fields.text(prefix + "name_en")},
        wording={"fr": fields.text(prefix + "wording_fr"), "en": fields.text(prefix + "wording_en")},
        required=fields.get(prefix + "required") is not None,
        retention_days=int(days) if days.isdecimal() and len(days) < 6 else 0,
        read_scope=" ".join(fields.text(prefix + "read_scope").split()),
        write_scope=" ".join(fields.text(prefix + "write_scope").split()),
    )
