"""How a client has shown who it is by a key: checked before Authlib runs, for it takes I/O and a thread."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from starlette.requests import Request

from app_catalog.catalogue.apps import App, app_by_client
from app_catalog.clients.assertion import (
    KINDS,
    SKEW,
    Assertion,
    NotProven,
    check_claims,
    check_signature,
    read_assertion,
)
from app_catalog.clients.authority import is_authority
from app_catalog.clients.certificate import BadCertificate, Certificate
from app_catalog.clients.credentials import Credentials
from app_catalog.clients.fetch import NotFetched
from app_catalog.clients.keys import PublicKey, PublicKeys
from app_catalog.oauth.client_authentication import Presented
from app_catalog.oauth.failure import Refused
from app_catalog.oauth.profiles import ASSERTION, PROFILES, TLS_NAME, TLS_SELF_SIGNED
from app_catalog.oauth.secret_text import sha256
from app_catalog.wiring import Wiring

USE_ASSERTION = """INSERT INTO catalogue.used_assertion (app_id, jti, expires_at) VALUES (%s, %s, %s)
  ON CONFLICT DO NOTHING"""
AUDIENCE_PATHS = (
    "/oauth/token",
    "/oauth/par",
)  # beside the issuer (SMART 2.2, RFC 9126 §2)
KEEP_USED = timedelta(minutes=1)  # longer than the assertion is taken: clocks of our own processes differ


@dataclass(frozen=True)
class Proof:
    """What was proved about a request. `certificate` is the SHA-256 of the one that its tokens are bound to."""

    app_id: UUID
    method: str
    certificate: bytes | None = None


async def prove(wiring: Wiring, request: Request, presented: Presented) -> Proof | None:
    """The proof by assertion or certificate; None where the request has neither, or its client another method.

    Raises Refused (invalid_client) for a proof that fails. No connection is held while keys are fetched.
    """
    text = presented.fields.get("client_assertion")
    try:
        certificate = wiring.certificates.of(request)
        assertion = read_assertion(text) if text is not None else None
    except (BadCertificate, NotProven) as error:
        raise Refused("invalid_client", str(error)) from error
    if assertion is None and certificate is None:
        return None
    client_id = presented.client_id or (assertion.subject if assertion else "")
    async with wiring.pool.connection() as connection:
        app = await app_by_client(connection, client_id)
    if app is None or app.credentials is None:
        return None
    try:
        if assertion is not None:
            await _check_assertion(wiring, app, app.credentials, assertion)
            method = ASSERTION
        elif certificate is not None and app.credentials.method in {TLS_NAME, TLS_SELF_SIGNED}:
            await _check_certificate(wiring, app.credentials, certificate)
            method = app.credentials.method
        else:
            return None
        return Proof(app.id, method, _binding(app.credentials, certificate))
    except (NotProven, NotFetched) as error:
        raise Refused("invalid_client", str(error)) from error


async def _check_assertion(wiring: Wiring, app: App, credentials: Credentials, assertion: Assertion) -> None:
    now = wiring.clock()
    if credentials.method != ASSERTION:
        raise NotProven("another method is registered")
    check_claims(
        assertion,
        client_id=app.client_id,
        algs=PROFILES[app.profile].assertion_algs,
        audiences=(wiring.issuer, *(wiring.issuer + path for path in AUDIENCE_PATHS)),
        jwks_uri=credentials.jwks_uri,
        now=now,
    )
    await check_signature(assertion, await _key(wiring, credentials, assertion.kid, KINDS[assertion.alg]))
    async with wiring.pool.connection() as connection:
        until = assertion.expires + SKEW + KEEP_USED
        used = await connection.execute(USE_ASSERTION, (app.id, sha256(assertion.jti), until))
    if used.rowcount != 1:
        raise NotProven("this assertion was used before")


async def _key(wiring: Wiring, credentials: Credentials, kid: str, kty: str) -> PublicKey:
    key = (await _keys(wiring, credentials)).one(kid, kty)
    if key is None and credentials.jwks_uri is not None:
        key = (await wiring.published_keys.anew(credentials.jwks_uri, wiring.clock())).one(kid, kty)
    if key is None:
        raise NotProven("not exactly one key of that kid")
    return key


async def _keys(wiring: Wiring, credentials: Credentials) -> PublicKeys:
    if credentials.jwks_uri is not None:
        return await wiring.published_keys.of(credentials.jwks_uri, wiring.clock())
    return credentials.inline_keys or PublicKeys(())


async def _check_certificate(wiring: Wiring, credentials: Credentials, certificate: Certificate) -> None:
    """The chain of a named certificate was checked by the TLS proxy; a self-signed one is compared as a whole."""
    if not certificate.is_valid(wiring.clock()):
        raise NotProven("the certificate is not valid at this time")
    if credentials.name is not None:
        if not certificate.bears(*credentials.name):
            raise NotProven("the certificate has another name")
        return
    keys = await _keys(wiring, credentials)
    if not keys.has_certificate(certificate.thumbprint) and credentials.jwks_uri is not None:
        keys = await wiring.published_keys.anew(credentials.jwks_uri, wiring.clock())
    if not keys.has_certificate(certificate.thumbprint):
        raise NotProven("the certificate is not a registered one")
    if is_authority(certificate.x509):
        raise NotProven("the certificate is self-signed and may sign others")


def _binding(credentials: Credentials, certificate: Certificate | None) -> bytes | None:
    if not credentials.binds_tokens:
        return None
    if certificate is None:
        raise NotProven("the client's tokens are bound to a certificate, and there is none")
    return certificate.thumbprint
