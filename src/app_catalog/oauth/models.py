"""Our rows in the shape that Authlib asks for."""

import hmac

from authlib.oauth2.rfc6749.models import AuthorizationCodeMixin, ClientMixin, TokenMixin

from app_catalog.applications.redirect_uri import is_registered
from app_catalog.catalogue.apps import App
from app_catalog.clients.registered import RegisteredClient
from app_catalog.events import EventName
from app_catalog.oauth.decision import deciding
from app_catalog.oauth.grant import refusal_of
from app_catalog.oauth.profiles import PROFILES
from app_catalog.oauth.secret_text import sha256
from app_catalog.wiring import Row

NOT_SERVED = "The app is not in service."


class Client(ClientMixin):  # type: ignore[misc]  # Authlib publishes no types
    """An approved app. What it may do follows from its profile and its status."""

    def __init__(self, app: App | RegisteredClient) -> None:
        self.app = app
        self.profile = PROFILES[app.profile]
        self.client_id = app.client_id

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: an authorization request names its redirect URI (OAuth 2.1 §4.1.1)."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """`scope` as decided when it was granted; None when nothing is left: Authlib answers with invalid_scope."""
        return scope or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Asked at the authorization endpoint only, which has the whole app."""
        return isinstance(self.app, App) and is_registered(
            redirect_uri, self.app.redirect_uris, any_loopback_port=self.profile.any_loopback_port
        )

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether it is the secret, or the former one in the time in which both work."""
        app, given = self.app, sha256(client_secret)
        if app.secret_hash is not None and hmac.compare_digest(app.secret_hash, given):
            return True
        until = app.former_secret_until
        if app.former_secret_hash is None or until is None or deciding().now >= until:
            return False
        return hmac.compare_digest(app.former_secret_hash, given)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002  Authlib's signature
        return method in self.profile.auth_methods

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Authlib asks this once the client is authenticated: where an app without service is refused, and noted."""
        decision = deciding()
        if self.app.effect.serves:
            return grant_type in {"authorization_code", "refresh_token"}
        if decision.row is not None and decision.row.app_id == self.app.id:
            decision.note(EventName.TOKEN_REFUSED, reason=NOT_SERVED, denied=True)
        return False


class Code(AuthorizationCodeMixin):  # type: ignore[misc]  # Authlib publishes no types
    code_challenge_method = "S256"

    def __init__(self, row: Row, redirect_uri: str | None) -> None:
        """`redirect_uri` is that of the token request: OAuth 2.1 leaves it out, OAuth 2.0 wants it compared."""
        self.row = row
        self.code_challenge = row.code_challenge
        self._redirect_uri = row.redirect_uri if redirect_uri else None

    def get_redirect_uri(self) -> str | None:
        return self._redirect_uri

    def get_scope(self) -> str:
        return str(deciding().effective_scopes)


class Token(TokenMixin):  # type: ignore[misc]  # Authlib publishes no types
    def __init__(self, row: Row) -> None:
        self.row = row

    def check_client(self, client: Client) -> bool:
        return bool(self.row.client_id == client.client_id)

    def get_scope(self) -> str:
        return str(deciding().effective_scopes)

    def is_expired(self) -> bool:
        return False  # `is_revoked` answers for every reason

    def is_revoked(self) -> bool:
        return refusal_of(self.row, deciding().now) is not None
