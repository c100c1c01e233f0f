"""Tokens that are handed out, as they are stored: by their hash."""

from datetime import datetime
from typing import Any

from app_catalog.oauth.decision import Decision
from app_catalog.oauth.profiles import PROFILES, Profile
from app_catalog.oauth.secret_text import sha256


def access_token(token: dict[str, Any], decision: Decision) -> dict[str, Any]:
    """Columns of the access token of an answer."""
    return _common(decision) | {
        "kind": "access",
        "hash": sha256(token["access_token"]),
        "scope": token["scope"],
        "expires": min(decision.now + _profile(decision).access_token, decision.presented.grant_expires_at),
        "certificate": decision.proof.certificate if decision.proof else None,
    }


def refresh_token(token: dict[str, Any], decision: Decision) -> dict[str, Any] | None:
    """Columns of the refresh token of an answer; None where it has none."""
    if "refresh_token" not in token:
        return None
    return _common(decision) | {
        "kind": "refresh",
        "hash": sha256(token["refresh_token"]),
        "scope": decision.presented.grant_scope,  # a refresh that narrows, narrows its access token only
        "expires": kept_until(decision),
        "certificate": None,  # its client proves itself at each use
    }


def kept_until(decision: Decision) -> datetime:
    """How long a refresh token works that is issued, or used, now."""
    ends: datetime = decision.presented.grant_expires_at
    return min(decision.now + _profile(decision).idle, ends)


def _profile(decision: Decision) -> Profile:
    return PROFILES[decision.presented.profile]


def _common(decision: Decision) -> dict[str, Any]:
    row = decision.presented
    return {"grant": row.grant_id, "subject": row.subject, "now": decision.now}
