"""The id token of OpenID Connect Core 1.0 §2, with SMART's ``fhirUser`` (SMART App Launch 2.2, "Identity data")."""

import asyncio
import base64
import hashlib
import json
from datetime import datetime
from typing import Any

from joserfc import jwt
from starlette.responses import Response

from app_catalog.catalogue.apps import App
from app_catalog.oauth import lifetimes
from app_catalog.oauth.decision import Decision
from app_catalog.oauth.failure import answer
from app_catalog.oauth.secret_text import sha256
from app_catalog.oauth.signing_keys import SigningKey, signing_key
from app_catalog.scopes.grammar import FHIR_USER, OPENID
from app_catalog.wiring import Connection, Row, Wiring

OF_CODE = "SELECT nonce, auth_time FROM catalogue.authorization_code WHERE hash = %s"


async def with_id_token(
    wiring: Wiring, connection: Connection, decision: Decision, code: str, response: Response
) -> Response:
    """`response`, a success for `code`, with an id token where the patient granted ``openid``.

    Runs in the transaction that consumed the code: where signing fails, the code is still good.
    """
    if (
        wiring.master_key is None
        or not isinstance(decision.app, App)
        or OPENID not in decision.effective_scopes.context
    ):
        return response
    body = json.loads(bytes(response.body))
    row = (await (await connection.execute(OF_CODE, (sha256(code),))).fetchall())[0]
    key = await signing_key(connection, decision.app.id_token_signed_response_alg, wiring.master_key, decision.now)
    told = claims(wiring, decision, row, body["access_token"], decision.now)
    return answer(response.status_code, body | {"id_token": await asyncio.to_thread(signed, told, key)})


def claims(wiring: Wiring, decision: Decision, row: Row, access_token: str, now: datetime) -> dict[str, Any]:
    """`sub` is the pairing id: another one for every app, and nothing outside of this server."""
    pairing_id = str(decision.presented.pairing_id)
    told: dict[str, Any] = {
        "iss": wiring.issuer,
        "sub": pairing_id,
        "aud": decision.presented.client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetimes.ID_TOKEN).timestamp()),
        "at_hash": _half_hash(access_token),
    }
    if row.auth_time is not None:
        told["auth_time"] = int(row.auth_time.timestamp())
    if row.nonce is not None:
        told["nonce"] = row.nonce
    if FHIR_USER in decision.effective_scopes.context:
        told["fhirUser"] = fhir_user(wiring.fhir_url, pairing_id)
    return told


def fhir_user(fhir_url: str, pairing_id: str) -> str:
    """Absolute URL of the resource of who is signed in: the patient, as this app knows them."""
    return f"{fhir_url}/Patient/{pairing_id}"


def signed(told: dict[str, Any], key: SigningKey) -> str:
    header = {"alg": key.algorithm, "kid": key.id, "typ": "JWT"}
    return jwt.encode(header, told, key.private, algorithms=[key.algorithm])


def _half_hash(token: str) -> str:
    """OpenID Connect Core §3.1.3.6: the left half of the hash; both of our algorithms hash with SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()
