"""The authorization code grant (RFC 6749 §4.1) with PKCE for everyone (RFC 7636, RFC 9700 §2.1.1)."""

from typing import Any
from uuid import UUID, uuid4

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from app_catalog.events import EventName
from app_catalog.oauth import lifetimes
from app_catalog.oauth.decision import deciding
from app_catalog.oauth.models import Client, Code
from app_catalog.oauth.profiles import METHODS
from app_catalog.oauth.secret_text import new_secret, sha256
from app_catalog.oauth.writes import ADD_CODE, ADD_GRANT, USE_CODE
from app_catalog.scopes.grammar import parse


class S256(CodeChallenge):  # type: ignore[misc]  # Authlib publishes no types
    """S256 only, and needed from confidential clients as well. Authlib requires neither."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012  Authlib's attribute

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE with S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)

    def validate_code_verifier(self, grant: Any, result: Any) -> None:
        if not grant.request.form.get("code_verifier"):
            raise InvalidGrantError("The code_verifier is missing.")  # FAPI 2.0's suite wants invalid_grant
        super().validate_code_verifier(grant, result)


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib publishes no types
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def generate_authorization_code(self) -> str:
        return new_secret()

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """A grant and its first code. `request.user` is the `Yes` of the patient."""
        decision, yes, grant_id = deciding(), request.user, uuid4()
        ends, sign_in = decision.now + request.client.profile.grant, yes.sign_in
        online = sign_in if parse(request.scope).online else None
        decision.issue += [
            (
                ADD_GRANT,
                {
                    "grant": grant_id,
                    "pairing": yes.pairing_id,
                    "subject": yes.subject,
                    "person": yes.person_id,
                    "scope": request.scope,
                    "now": decision.now,
                    "expires": min(ends, online.until) if online else ends,
                    "session": online.key if online else None,
                    "tested": yes.tested_application,
                },
            ),
            (
                ADD_CODE,
                {
                    "hash": sha256(code),
                    "grant": grant_id,
                    "subject": yes.subject,
                    "redirect_uri": request.payload.redirect_uri,
                    "challenge": request.payload.data["code_challenge"],
                    "expires": decision.now + lifetimes.CODE,
                    "nonce": yes.nonce,
                    "auth_time": sign_in.since if sign_in else None,
                },
            ),
        ]

    def query_authorization_code(self, code: str, client: Client) -> Code | None:  # noqa: ARG002  Authlib's signature
        """The code of this client; one that was used goes on, so that PKCE is checked before a replay revokes."""
        decision = deciding()
        row = decision.row
        if row is None or row.client_id != client.client_id:
            return None
        if row.used_at is None and row.expires_at <= decision.now:
            return None
        return Code(row, self.request.payload.redirect_uri)

    def authenticate_user(self, authorization_code: Code) -> UUID | None:
        """Whose code it is. Authlib asks once client, redirect URI and verifier were found right."""
        decision, row = deciding(), authorization_code.row
        if row.used_at is not None:
            if row.grant_revoked_at is None:
                decision.revoke = "An authorization code was used twice."
            decision.note(EventName.CODE_REPLAYED, reason="An authorization code was used twice.", denied=True)
            raise InvalidGrantError("This code was already used.")
        if row.grant_revoked_at is not None:
            return None
        if parse(row.grant_scope).resources and not decision.effective_scopes.resources:
            raise InvalidGrantError("The patient took back what was granted.")
        return UUID(str(row.person))

    def generate_token(self, **options: Any) -> Any:
        """With a refresh token where the patient agreed to access while away, or while signed in."""
        scopes = deciding().effective_scopes
        options["include_refresh_token"] = scopes.offline or scopes.online
        return super().generate_token(**options)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Marked as used, never deleted: a replay has to be seen."""
        decision = deciding()
        decision.issue.append((USE_CODE, {"hash": authorization_code.row.hash, "now": decision.now}))
        decision.note(EventName.CODE_REDEEMED, scope=str(decision.effective_scopes))
