"""Names of the fields of an application, as English msgids: on the form, in what is missing, in a difference."""

from collections.abc import Mapping

from app_catalog.applications.published import LINKS
from app_catalog.words import marked

NO_LABEL = marked("The application")
LABELS: Mapping[str, str] = {
    "name": marked("Name"),
    "description_fr": marked("Description in French"),
    "description_en": marked("Description in English"),
    "changes_fr": marked("What is new, in French"),
    "changes_en": marked("What is new, in English"),
    "exchanges_data": marked("Exchanges data with the health space"),
    "economic_model": marked("Price"),
    "regions": marked("Regions"),
    "themes": marked("Themes"),
    "medical_device_class": marked("Class of the medical device"),
    "medical_device_certificate": marked("Number of the CE certificate"),
    **{f"links_{name}": text for name, text in LINKS.items()},
    "logo": marked("Logo"),
    "profile": marked("Profile"),
    "redirect_uris": marked("Redirect URIs"),
    "launch_uri": marked("Launch URI"),
    "id_token_signed_response_alg": marked("Signature of id tokens"),
    "purposes": marked("Purposes"),
    "key": marked("Key"),
    "name_fr": marked("Name in French"),
    "name_en": marked("Name in English"),
    "wording_fr": marked("What the patient agrees to, in French"),
    "wording_en": marked("What the patient agrees to, in English"),
    "required": marked("The app cannot work without it"),
    "retention_days": marked("Days for which you keep the data"),
    "read_scope": marked("Scopes for reading"),
    "write_scope": marked("Scopes for writing"),
    "justification": marked("Why the app needs this data"),
    "documents": marked("Documents"),
    "criteria": marked("Criteria"),
}
STATES: Mapping[str, str] = {
    "draft": marked("draft"),
    "submitted": marked("submitted"),
    "admissible": marked("found complete"),
    "returned": marked("given back as not complete"),
    "approved": marked("approved"),
    "refused": marked("refused"),
    "withdrawn": marked("withdrawn"),
}
"""Names of the states of an application, as English msgids."""
