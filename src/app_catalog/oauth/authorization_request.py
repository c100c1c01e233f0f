"""The authorization request (RFC 6749 §4.1.1, SMART 2.2 §2.0.7), as two ordered lists of checks.

The first list is answered with a page: until client and redirect URI are known to belong together, nothing is ever sent
to a redirect URI (RFC 9700 §4.11). The second is answered to the client, after the patient has signed in.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from app_catalog.applications.redirect_uri import is_registered
from app_catalog.catalogue.apps import App
from app_catalog.catalogue.status import Status
from app_catalog.form import Fields
from app_catalog.oauth.failure import Refused
from app_catalog.oauth.profiles import PROFILES
from app_catalog.scopes.grammar import LAUNCH, ONLINE_ACCESS, Scopes, parse
from app_catalog.scopes.narrowing import narrow
from app_catalog.wiring import Person
from app_catalog.words import marked

REFERENCE_PREFIX = "urn:ietf:params:oauth:request_uri:"  # RFC 9126 §2.2, then a random word
MAX_STATE = 2000  # characters; it goes back in a URL
MAX_NONCE = 500  # characters; it goes into the id token

UNKNOWN_CLIENT = marked("The app is not known here.")
UNKNOWN_REDIRECT_URI = marked("The address to go back to is not one that the app has registered.")

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # BASE64URL of a SHA-256 (RFC 7636 §4.2)


@dataclass(frozen=True)
class Asked:
    """An authorization request on its way through the checks; `app` is what its client id names.

    pushed     whether the client handed the request over itself (RFC 9126); `reference` is then the name it got
    offered    the context scopes that can be granted to this browser
    age_s      seconds since the person signed in; None where that is not known
    """

    fields: Fields
    fhir_url: str
    app: App | None
    person: Person | None = None
    pushed: bool = False
    reference: str | None = None
    offered: frozenset[str] = frozenset()
    age_s: float | None = None

    @property
    def known_app(self) -> App:
        if self.app is None:
            raise Refused("invalid_client", UNKNOWN_CLIENT)
        return self.app

    @property
    def known_person(self) -> Person:
        if self.person is None:
            raise Refused("login_required", "The patient has to sign in.")
        return self.person

    @property
    def redirect_uri(self) -> str:
        return self.fields.text("redirect_uri")

    @property
    def scopes(self) -> Scopes:
        """What is asked for, within what the app is registered for. Unknown scopes are dropped (RFC 6749 §3.3)."""
        wanted, context = parse(self.fields.text("scope")), self.offered
        if self.fields.get("launch") is None:
            context -= {LAUNCH}  # there is no launch to tell anything of
        if wanted.offline:
            context -= {ONLINE_ACCESS}  # both were asked for: the patient is asked about the longer one
        return narrow(wanted, Scopes(self.known_app.scopes.resources, context))


def client_is_known(asked: Asked) -> None:
    if len(asked.fields.all("client_id")) != 1 or asked.app is None or asked.app.status is Status.DEREFERENCED:
        raise Refused("invalid_client", UNKNOWN_CLIENT)


def redirect_uri_is_registered(asked: Asked) -> None:
    app = asked.known_app
    if len(asked.fields.all("redirect_uri")) != 1 or not is_registered(
        asked.redirect_uri, app.redirect_uris, any_loopback_port=PROFILES[app.profile].any_loopback_port
    ):
        raise Refused("invalid_request", UNKNOWN_REDIRECT_URI)


def nothing_is_repeated(asked: Asked) -> None:
    if asked.fields.repeated:
        raise Refused("invalid_request", "A parameter is sent more than once.")


def state_can_be_sent_back(asked: Asked) -> None:
    state = asked.fields.text("state")
    if len(state) > MAX_STATE or any(character in "\r\n\t" for character in state):
        raise Refused("invalid_request", "The state is too long or cannot be sent back.")


def no_request_object(asked: Asked) -> None:
    """RFC 9101 is not offered, and a client that relies on it must not be answered as if it had not been sent."""
    if asked.fields.get("request"):
        raise Refused("request_not_supported", "Request objects are not supported.")
    if asked.fields.get("request_uri"):
        raise Refused("request_uri_not_supported", "Only requests that were pushed here are taken by reference.")


def pushed_where_needed(asked: Asked) -> None:
    if PROFILES[asked.known_app.profile].requires_par and not asked.pushed:
        raise Refused("invalid_request", "The profile of this client needs pushed authorization requests.")


def response_type_is_code(asked: Asked) -> None:
    response_type = asked.fields.get("response_type")
    if response_type is None:
        raise Refused("invalid_request", "The response_type is missing.")
    if response_type != "code":
        raise Refused("unsupported_response_type", "The only response_type is code.")


def response_mode_is_query(asked: Asked) -> None:
    if asked.fields.get("response_mode") not in {None, "query"}:
        raise Refused("invalid_request", "The only response_mode is query.")


def nonce_can_be_repeated(asked: Asked) -> None:
    if len(asked.fields.text("nonce")) > MAX_NONCE:
        raise Refused("invalid_request", "The nonce is too long.")


def prompt_can_be_followed(asked: Asked) -> None:
    """The patient is asked each time, so that an app that wants no page gets no answer; nobody is made to sign in
    again while signed in (OpenID Connect Core §3.1.2.1, §3.1.2.6)."""
    prompts = asked.fields.text("prompt").split()
    if "none" in prompts:
        if len(prompts) > 1:
            raise Refused("invalid_request", "The prompt none stands alone.")
        if asked.person is None:
            raise Refused("login_required", "The patient has to sign in.")
        raise Refused("consent_required", "The patient has to be asked.")
    if "login" in prompts and asked.person is not None:
        raise Refused("login_required", "The patient is signed in already: have them sign out first.")


def signed_in_lately(asked: Asked) -> None:
    """`max_age` of OpenID Connect Core §3.1.2.1, in seconds."""
    wanted = asked.fields.get("max_age")
    if wanted is None:
        return
    if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 10):
        raise Refused("invalid_request", "The max_age is not a number of seconds.")
    if asked.age_s is None or asked.age_s > int(wanted):
        raise Refused("login_required", "The patient signed in longer ago: have them sign out first.")


def pkce_is_s256(asked: Asked) -> None:
    if asked.fields.get("code_challenge_method") != "S256":
        raise Refused("invalid_request", "PKCE is required, with the code_challenge_method S256.")
    if not _CHALLENGE.fullmatch(asked.fields.text("code_challenge")):
        raise Refused("invalid_request", "The code_challenge is missing or is not that of S256.")


def audience_is_our_data(asked: Asked) -> None:
    """`aud` of SMART and `resource` of RFC 8707 say for which server a token is wanted: ours would leak to another."""
    audience, resource = asked.fields.get("aud"), asked.fields.get("resource")
    if audience is None and resource is None and PROFILES[asked.known_app.profile].needs_audience:
        raise Refused("invalid_request", "The aud is missing: it is the base URL of the FHIR server.")
    if audience is not None and audience.rstrip("/") != asked.fhir_url.rstrip("/"):
        raise Refused("invalid_request", "The aud is not the base URL of this FHIR server.")
    if resource is not None and resource.rstrip("/") != asked.fhir_url.rstrip("/"):
        raise Refused("invalid_target", "The resource is not the base URL of this FHIR server.")


def app_takes_new_patients(asked: Asked) -> None:
    if not asked.known_app.effect.pairs:
        raise Refused("unauthorized_client", "The app is not in service for new connections.")


def scope_leaves_something(asked: Asked) -> None:
    if not asked.scopes.resources:
        raise Refused("invalid_scope", "None of the scopes is one that the client is registered for.")


def person_has_a_space(asked: Asked) -> None:
    subject_of(asked.person)


def subject_of(person: Person | None) -> UUID:
    """The space of who is signed in. Only patients have one to share."""
    if person is None or person.subject is None:
        raise Refused("access_denied", "Who is signed in has no health space.")
    return person.subject


def no_reference_in_it(asked: Asked) -> None:
    """RFC 9126 §2.1."""
    if asked.fields.get("request_uri"):
        raise Refused("invalid_request", "A pushed request has no request_uri.")


CHECKS_ANSWERED_BY_A_PAGE = (client_is_known, redirect_uri_is_registered)
CHECKS_ANSWERED_TO_THE_CLIENT = (
    nothing_is_repeated,
    state_can_be_sent_back,
    no_request_object,
    pushed_where_needed,
    response_type_is_code,
    response_mode_is_query,
    nonce_can_be_repeated,
    prompt_can_be_followed,
    signed_in_lately,
    pkce_is_s256,
    audience_is_our_data,
    app_takes_new_patients,
    scope_leaves_something,
    person_has_a_space,
)
CHECKS_OF_A_PUSHED_REQUEST = (
    nothing_is_repeated,
    state_can_be_sent_back,
    no_reference_in_it,
    no_request_object,
    response_type_is_code,
    response_mode_is_query,
    nonce_can_be_repeated,
    pkce_is_s256,
    audience_is_our_data,
    app_takes_new_patients,
    scope_leaves_something,
)
