"""What an access token opens at this moment: the question that every request for data asks."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app_catalog.catalogue.status import EFFECTS, Status
from app_catalog.clients.certificate import Certificate
from app_catalog.consents.effect import ConsentedPurpose, consented_purposes, effective_scopes
from app_catalog.oauth.look import STATE_OF_TOKEN
from app_catalog.scopes.grammar import Scope
from app_catalog.wiring import Connection, Row

MAX_TOKEN_LENGTH = 200  # characters; ours have 43, and a longer header is not worth a hash


@dataclass(frozen=True)
class AppGrant:
    """An access token, resolved.

    pairing_id  what the app knows the patient by: FHIR's Patient id for this app
    subject     the patient's space
    person      who gave the consent
    scopes      what the token opens now: granted, and within what is consented to
    consented   purposes consented to now
    status      of the app
    refusal     why the token opens nothing, None when it does
    context     the scopes of the token for context and identity, for instance ``fhirUser``
    certificate SHA-256 of the certificate that its bearer has to show (RFC 8705 §3), None for an unbound token
    tested_application  what a simulated patient tries, None for every real one
    """

    app_id: UUID
    app_name: str
    client_id: str
    grant_id: UUID
    pairing_id: UUID
    subject: UUID
    person: UUID
    scopes: tuple[Scope, ...]
    consented: tuple[ConsentedPurpose, ...]
    status: Status
    refusal: str | None
    context: frozenset[str] = frozenset()
    certificate: bytes | None = None
    tested_application: UUID | None = None

    def is_borne_rightly(self, certificate: Certificate | None) -> bool:
        """Whether whoever bears the token has shown the certificate that it is bound to, if it is bound to one."""
        return self.certificate is None or (certificate is not None and certificate.thumbprint == self.certificate)


async def grant_of_token(connection: Connection, access_token: str, now: datetime) -> AppGrant | None:
    """The grant behind an access token, also of one that no longer works: `refusal` says why, for the journal.

    None for a token that never was. Works before the space is known; opens no space.
    """
    if not access_token.isascii() or len(access_token) > MAX_TOKEN_LENGTH:
        return None
    row = await STATE_OF_TOKEN.at(connection, access_token, now)
    if row is None or row.kind != "access":
        return None
    scopes = effective_scopes(row.scope, row.consented)
    return AppGrant(
        app_id=row.app_id,
        app_name=row.app_name,
        client_id=row.client_id,
        grant_id=row.grant_id,
        pairing_id=row.pairing_id,
        subject=row.subject,
        person=row.person,
        scopes=scopes.resources,
        context=scopes.context,
        consented=consented_purposes(row.consented),
        status=Status(row.app_status),
        refusal=refusal_of(row, now),
        certificate=row.certificate,
        tested_application=row.tested_application,
    )


def refusal_of(row: Row, now: datetime) -> str | None:
    """Why the token of `row` does not work."""
    if not row.in_sandbox and not EFFECTS[Status(row.app_status)].serves:
        return f"app {row.app_status.lower()}"
    if row.grant_revoked_at is not None:
        return "grant revoked"
    if row.waits_for_answer:
        return "approval awaited"
    if row.revoked_at is not None or row.used_at is not None:
        return "token revoked"
    if min(row.expires_at, row.grant_expires_at) <= now:
        return "token expired"
    return None
