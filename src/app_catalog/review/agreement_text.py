"""The text of an agreement: its dates, the data of each purpose, and how either side ends it. Kept word for word."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from app_catalog.review.dossier import Dossier
from app_catalog.scopes.grammar import parse
from app_catalog.wiring import DataPlane, Language, Row, Texts

TEXT_VERSION: Final = "2026-1"  # changes with any word below; every agreement keeps the text that was accepted

_TEXT: Final[dict[Language, str]] = {
    "fr": "Convention sur l’application {app}, version {version}, entre l’exploitant du catalogue et {vendor}."
    "\n\nDurée. La convention vaut du {starts_on} au {ends_on}, ce dernier jour non compris. Elle peut être renouvelée "
    "à la demande de l’éditeur. Sans renouvellement, l’application n’accepte plus de nouveau patient à son terme, puis "
    "est retirée du catalogue."
    "\n\nDonnées. L’application n’accède qu’aux données suivantes, pour chaque patient qui y consent, finalité par "
    "finalité :\n{purposes}"
    "\n\nObligations. L’éditeur n’utilise les données que pour ces finalités, ne les conserve pas au-delà des durées "
    "indiquées, et dépose une nouvelle version de sa candidature avant d’en changer une."
    "\n\nRetrait. L’éditeur peut retirer l’application à tout moment par écrit. L’exploitant peut la suspendre sans "
    "délai en cas de risque pour les patients, et la retirer après avoir entendu l’éditeur. Au retrait, tous les "
    "patients sont déconnectés et prévenus, les accès prennent fin aussitôt, et l’éditeur efface ou restitue les "
    "données dans les trente jours.",
    "en": "Agreement on the app {app}, version {version}, between the operator of the catalogue and {vendor}."
    "\n\nTerm. The agreement holds from {starts_on} until {ends_on}, that last day not included. It can be renewed "
    "when the vendor asks for it. Without renewal the app takes no new patient when it ends, and then leaves the "
    "catalogue."
    "\n\nData. The app has access to the following data only, for each patient who consents to it, purpose by purpose:"
    "\n{purposes}"
    "\n\nDuties. The vendor uses the data for these purposes only, keeps it no longer than is said here, and submits a "
    "new version of its application before it changes any of them."
    "\n\nWithdrawal. The vendor may withdraw the app at any time in writing. The operator may suspend it at once where "
    "patients are at risk, and remove it after having heard the vendor. When it is withdrawn all patients are "
    "disconnected and told, access ends at once, and the vendor deletes or gives back the data within thirty days.",
}
_PURPOSE: Final[dict[Language, str]] = {
    "fr": "– {name} : lit {reads} ; écrit {writes} ; conservation {days} jours.",
    "en": "– {name}: reads {reads}; writes {writes}; kept for {days} days.",
}
_NOTHING: Final[dict[Language, str]] = {"fr": "rien", "en": "nothing"}


def agreement_text(
    dossier: Dossier, purposes: Sequence[Row], data_plane: DataPlane, *, starts_on: date, ends_on: date
) -> Texts:
    """The whole text in each language; `purposes` are rows of `catalogue.purpose`."""
    return {
        language: _TEXT[language].format(
            app=dossier.name,
            version=dossier.version,
            vendor=dossier.vendor_name,
            starts_on=starts_on.isoformat(),
            ends_on=ends_on.isoformat(),
            purposes="\n".join(_line(purpose, data_plane, language) for purpose in purposes),
        )
        for language in _TEXT
    }


def _line(purpose: Row, data_plane: DataPlane, language: Language) -> str:
    return _PURPOSE[language].format(
        name=purpose.name_fr if language == "fr" else purpose.name_en,
        reads=_data(purpose.read_scope, data_plane, language),
        writes=_data(purpose.write_scope, data_plane, language),
        days=purpose.retention_days,
    )


def _data(scopes: str, data_plane: DataPlane, language: Language) -> str:
    opened = [data_plane.describe(scope)[language] for scope in parse(scopes).resources]
    return ", ".join(dict.fromkeys(opened)) or _NOTHING[language]
