"""The refresh token grant (RFC 6749 §6), with rotation where the client's profile wants it (RFC 9700 §4.14)."""

import json
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant

from app_catalog.events import EventName
from app_catalog.oauth import lifetimes
from app_catalog.oauth.decision import deciding
from app_catalog.oauth.issued import access_token, kept_until, refresh_token
from app_catalog.oauth.models import Token
from app_catalog.oauth.profiles import METHODS
from app_catalog.oauth.sealing import seal, unseal
from app_catalog.scopes.grammar import parse
from app_catalog.scopes.narrowing import is_within, narrow


class RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]  # Authlib publishes no types
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:  # noqa: ARG002  Authlib's signature
        """The token presented, if it is a refresh token whose grant lives; one that was used goes on, see below."""
        decision = deciding()
        row = decision.row
        if row is None or row.kind != "refresh" or row.revoked_at or row.grant_revoked_at:
            return None
        return None if min(row.expires_at, row.grant_expires_at) <= decision.now else Token(row)

    def _validate_token_scope(self, token: Token) -> None:
        """A scope that is sent may only narrow (RFC 6749 §6), as SMART understands it, not as strings."""
        wanted = self.request.payload.scope
        if wanted and not is_within(parse(wanted), parse(token.row.grant_scope)):
            raise InvalidScopeError
        if not deciding().effective_scopes.resources and parse(token.row.grant_scope).resources:
            raise InvalidGrantError("The patient took back what was granted.")

    def authenticate_user(self, refresh_token: Token) -> UUID:
        """Whose token it is. Authlib asks once the client was authenticated: here a theft shows."""
        decision, row = deciding(), refresh_token.row
        if row.used_at is not None and decision.now - row.used_at > lifetimes.ROTATION_GRACE:
            decision.revoke = "A refresh token was used twice."
            decision.note(EventName.TOKEN_REPLAYED, reason="A refresh token was used twice.", denied=True)
            raise InvalidGrantError("This refresh token was already used.")
        return UUID(str(row.person))

    def issue_token(self, user: UUID, refresh_token: Token) -> dict[str, Any]:
        """New tokens, or within the grace those that were issued when this token was used."""
        row = refresh_token.row
        if row.used_at is not None:
            return self._issued_before(row)
        decision = deciding()
        scopes = decision.effective_scopes
        if wanted := self.request.payload.scope:
            scopes = narrow(parse(wanted), scopes)
        return dict(
            self.generate_token(
                user=user,
                scope=str(scopes),
                include_refresh_token=self.client.profile.rotates_refresh_tokens,
            )
        )

    def save_token(self, token: dict[str, Any]) -> None:
        decision, row = deciding(), self.request.refresh_token.row
        if row.used_at is not None:
            return
        until, sealed = None, None
        if self.client.profile.rotates_refresh_tokens:
            sealed = seal(token, self.request.form["refresh_token"], self._binding())
        else:
            until = kept_until(decision)
        access, refresh = access_token(token, decision), refresh_token(token, decision) or {}
        decision.refresh = {
            "hash": row.hash,
            "space": row.subject,
            "now": decision.now,
            "kept_until": until,
            "sealed": sealed,
            "access_hash": access["hash"],
            "access_scope": access["scope"],
            "access_until": access["expires"],
            "certificate": access["certificate"],
            "refresh_hash": refresh.get("hash"),
            "refresh_scope": refresh.get("scope"),
            "refresh_until": refresh.get("expires"),
        }
        decision.note(EventName.TOKEN_REFRESHED, scope=token["scope"])

    def revoke_old_credential(self, refresh_token: Token) -> None:
        """Nothing: what `save_token` asks for marks it as used."""

    def _issued_before(self, row: Any) -> dict[str, Any]:
        token = unseal(row.sealed, self.request.form["refresh_token"], self._binding()) if row.sealed else None
        if token is None:
            raise InvalidGrantError("This refresh token was already used.")
        left = row.used_at + self.client.profile.access_token - deciding().now
        return token | {"expires_in": int(left.total_seconds())}

    def _binding(self) -> str:
        """A repetition has to ask for what the first request asked for."""
        return json.dumps([self.client.client_id, self.request.payload.scope])
