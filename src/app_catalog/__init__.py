"""The control plane: apps, their approval, OAuth 2 and the patient's consent. These names are its public face."""

from importlib.resources import files
from importlib.resources.abc import Traversable

from app_catalog.access_keys.access_key import end_keys_of_person
from app_catalog.applications.application import Application, PurposeDraft
from app_catalog.applications.published import Published
from app_catalog.applications.submission import Submitted, submit_application
from app_catalog.catalogue.apps import App, Purpose, app_by_id, apps_by_status
from app_catalog.catalogue.brand import BadBrand, Brand, brand_from, brand_of_url
from app_catalog.catalogue.causes import Cause
from app_catalog.catalogue.change import change_status
from app_catalog.catalogue.secret import rotate_secret
from app_catalog.catalogue.status import Status
from app_catalog.clients.certificate import BadCertificate, CertificateHeader, networks
from app_catalog.clients.published_keys import PublishedKeys
from app_catalog.clients.rate import Rates
from app_catalog.consents.adding import agree_to_purpose
from app_catalog.consents.announcement import tell_moves
from app_catalog.consents.comparison import Change, Compared, changes, compared
from app_catalog.consents.connected import ConnectedApp, GivenPurpose, connected_apps
from app_catalog.consents.delivery import deliver_notices
from app_catalog.consents.effect import ConsentedPurpose
from app_catalog.consents.ending import choose_end, end_consents
from app_catalog.consents.export import consents_as_fhir
from app_catalog.consents.history import GivenConsent, consents_given
from app_catalog.consents.letters import list_seen, send_lists, tell_questions, unseen_list
from app_catalog.consents.news import AppNews, app_news
from app_catalog.consents.period import SOON, NoSuchEnd, chosen_end, ends_offered, last_day
from app_catalog.consents.reapproval import (
    Question,
    Unanswerable,
    WordsChanged,
    answer_question,
    on_majority,
    open_question,
)
from app_catalog.consents.revocation import on_password_changed, revoke_pairing, withdraw_purpose
from app_catalog.consents.setback import Work, alone, is_put_off
from app_catalog.consents.sign_out import on_signed_out
from app_catalog.consents.wording import Wording, wording
from app_catalog.criteria.answers import Answer
from app_catalog.criteria.criterion import current_set
from app_catalog.documents.upload import Upload
from app_catalog.errors import CatalogueError, Fault, NotAllowed, Unacceptable, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.interoperability.settling import settle_runs
from app_catalog.interoperability.watch import call_answered, call_refused
from app_catalog.oauth.discovery import smart_configuration
from app_catalog.oauth.grant import AppGrant, grant_of_token
from app_catalog.oauth.housekeeping import sweep
from app_catalog.oauth.signing_keys import keep_signing_keys
from app_catalog.reports.correction import remind_of_corrections
from app_catalog.reports.lapse import keep_agreements
from app_catalog.review.decision import approve_application, refuse_application
from app_catalog.routes import routes
from app_catalog.sandbox.expiry import end_unused
from app_catalog.sandbox.simulated import apps_of_simulated
from app_catalog.scopes.evaluation import ALL, ValueSets, allowed_codes, covers
from app_catalog.scopes.grammar import Constraint, Scope, Scopes
from app_catalog.scopes.grammar import parse as parse_scopes
from app_catalog.vendors.vendor import register_vendor, vendors_of
from app_catalog.wiring import (
    Call,
    CatalogueEvent,
    Choice,
    DataPlane,
    EndedGrant,
    Journal,
    Mail,
    PatientLetter,
    Patients,
    Person,
    Render,
    Sandbox,
    SignIn,
    SimulatedPatient,
    Wiring,
)

MIGRATIONS: Traversable = files(__name__).joinpath("migrations")
TEMPLATES: Traversable = files(__name__).joinpath("templates")  # for the loader of the host's Jinja environment
LOCALE: Traversable = files(__name__).joinpath("locale")  # gettext domain "app_catalog"

__all__ = [
    "ALL",
    "LOCALE",
    "MIGRATIONS",
    "SOON",
    "TEMPLATES",
    "Answer",
    "App",
    "AppGrant",
    "AppNews",
    "Application",
    "BadBrand",
    "BadCertificate",
    "Brand",
    "Call",
    "CatalogueError",
    "CatalogueEvent",
    "Cause",
    "CertificateHeader",
    "Change",
    "Choice",
    "Compared",
    "ConnectedApp",
    "ConsentedPurpose",
    "Constraint",
    "DataPlane",
    "EndedGrant",
    "EventName",
    "Fault",
    "GivenConsent",
    "GivenPurpose",
    "Journal",
    "Mail",
    "NoSuchEnd",
    "NotAllowed",
    "PatientLetter",
    "Patients",
    "Person",
    "Published",
    "PublishedKeys",
    "Purpose",
    "PurposeDraft",
    "Question",
    "Rates",
    "Render",
    "Sandbox",
    "Scope",
    "Scopes",
    "SignIn",
    "SimulatedPatient",
    "Status",
    "Submitted",
    "Unacceptable",
    "Unanswerable",
    "Unknown",
    "Upload",
    "ValueSets",
    "Wiring",
    "Wording",
    "WordsChanged",
    "Work",
    "WrongState",
    "agree_to_purpose",
    "allowed_codes",
    "alone",
    "answer_question",
    "app_by_id",
    "app_news",
    "approve_application",
    "apps_by_status",
    "apps_of_simulated",
    "brand_from",
    "brand_of_url",
    "call_answered",
    "call_refused",
    "change_status",
    "changes",
    "choose_end",
    "chosen_end",
    "compared",
    "connected_apps",
    "consents_as_fhir",
    "consents_given",
    "covers",
    "current_set",
    "deliver_notices",
    "end_consents",
    "end_keys_of_person",
    "end_unused",
    "ends_offered",
    "grant_of_token",
    "is_put_off",
    "keep_agreements",
    "keep_signing_keys",
    "last_day",
    "list_seen",
    "networks",
    "on_majority",
    "on_password_changed",
    "on_signed_out",
    "open_question",
    "parse_scopes",
    "refuse_application",
    "register_vendor",
    "remind_of_corrections",
    "revoke_pairing",
    "rotate_secret",
    "routes",
    "send_lists",
    "settle_runs",
    "smart_configuration",
    "submit_application",
    "sweep",
    "tell_moves",
    "tell_questions",
    "unseen_list",
    "vendors_of",
    "withdraw_purpose",
    "wording",
]
