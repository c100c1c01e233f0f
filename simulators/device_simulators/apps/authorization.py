"""Asking the patient: authorization code with PKCE, from the button to the tokens (RFC 6749, 7636, 9207; SMART 2.2)."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from authlib.common.security import generate_token
from authlib.integrations.httpx_client import OAuthError

from device_simulators.apps.client import Registration, oauth_client
from device_simulators.apps.connection import Connection
from device_simulators.apps.discovery import Endpoints

VERIFIER_LENGTH = 64  # characters; RFC 7636 §4.1 wants 43 to 128


class NotOurs(Exception):
    """The answer does not belong to a question that this browser asked: nothing of it is used."""


class Refused(Exception):
    """The gateway answered with an error. `error` is OAuth's word for it; ``access_denied``: the patient said no."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True)
class Question:
    """What was asked, kept on our side until the answer comes."""

    endpoints: Endpoints
    state: str = field(repr=False)
    verifier: str = field(repr=False)


async def ask(
    registration: Registration, endpoints: Endpoints, scope: str, launch: str | None = None
) -> tuple[str, Question]:
    """Where to send the browser, and what to keep meanwhile. `launch`: what the portal opened the app with."""
    verifier = generate_token(VERIFIER_LENGTH)
    # `aud` names the FHIR server that the token is for: a counterfeit of it could otherwise be handed a real token.
    async with oauth_client(registration, endpoints) as client:
        url, state = client.create_authorization_url(
            endpoints.authorization,
            code_verifier=verifier,
            scope=scope,
            aud=endpoints.fhir,
            **({"launch": launch} if launch else {}),
        )
    return url, Question(endpoints, state, verifier)


async def take_answer(registration: Registration, question: Question, answer: Mapping[str, str]) -> Connection:
    """Exchanges the code in `answer`, the query of the redirect URI, for tokens.

    Raises NotOurs, Refused, or httpx2.HTTPError when the gateway does not answer.
    """
    if not hmac.compare_digest(answer.get("state", "").encode(), question.state.encode()):
        raise NotOurs
    issuer = answer.get("iss")
    if issuer != question.endpoints.issuer and (issuer is not None or question.endpoints.names_issuer):
        raise NotOurs  # another server's answer, mixed in: it must not get our code (RFC 9207 §2.4)
    if "error" in answer:
        raise Refused(answer["error"])
    async with oauth_client(registration, question.endpoints) as client:
        try:
            token = await client.fetch_token(
                question.endpoints.token,
                grant_type="authorization_code",
                code=answer.get("code", ""),
                code_verifier=question.verifier,
                redirect_uri=registration.redirect_uri,
            )
        except OAuthError as error:
            raise Refused(error.error) from error
    if "patient" not in token:
        raise Refused("the gateway named no patient")
    return Connection(registration, question.endpoints, str(token["patient"]), token)
