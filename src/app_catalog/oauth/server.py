"""Authlib's authorization server, told how our requests, answers and tokens look."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from starlette.responses import Response

from app_catalog.form import Fields
from app_catalog.oauth.code_grant import S256, CodeGrant
from app_catalog.oauth.decision import deciding
from app_catalog.oauth.failure import NO_STORE, answer, invalid_client
from app_catalog.oauth.issued import access_token, refresh_token
from app_catalog.oauth.launch_context import launch_context
from app_catalog.oauth.models import Client
from app_catalog.oauth.profiles import ASYMMETRIC_METHODS, PROFILES
from app_catalog.oauth.refresh_grant import RefreshGrant
from app_catalog.oauth.secret_text import new_secret
from app_catalog.oauth.writes import ADD_TOKEN
from app_catalog.scopes.grammar import parse

logging.getLogger("authlib").setLevel(logging.INFO)  # its DEBUG lines hold whole tokens


class Payload(OAuth2Payload):  # type: ignore[misc]  # Authlib publishes no types
    def __init__(self, fields: Fields) -> None:
        self._data = dict(fields.first)
        self._lists = {name: list(fields.all(name)) for name in self._data}

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> dict[str, list[str]]:
        return self._lists


class Request(OAuth2Request):  # type: ignore[misc]  # Authlib publishes no types
    """`url` is ours by configuration: the Host header of a request is not believed."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], fields: Fields) -> None:
        # Authlib's own would ask whether `url` is safe, each time: `routes` asked it of the issuer, once.
        self.method, self.uri, self.headers, self.payload = method, url, headers, Payload(fields)
        self.client = self.auth_method = self.user = self.credential = self._scope = self._body = None
        self.authorization_code = self.refresh_token = None

    @property
    def args(self) -> dict[str, str]:
        return self.payload.data if self.method == "GET" else {}

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data if self.method == "POST" else {}


class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib publishes no types
    def __init__(self, issuer: str) -> None:
        super().__init__()
        self.issuer = issuer

    def query_client(self, client_id: str) -> Client | None:
        app = deciding().app
        return Client(app) if app is not None and app.client_id == client_id else None

    def generate_token(self, **options: Any) -> dict[str, Any]:
        """Scope always, and for whom: the pairing id where the scopes concern a patient (SMART 2.2 @73-78 @164)."""
        token = dict(super().generate_token(**options))
        row = deciding().row
        if row is not None and parse(token["scope"]).concerns_a_patient:
            token |= launch_context(row)
            if PROFILES[row.profile].names_subject:
                token["sub"] = str(row.pairing_id)
        return token

    def save_token(self, token: dict[str, Any], request: Request) -> None:  # noqa: ARG002  Authlib's signature
        decision = deciding()
        decision.issue.append((ADD_TOKEN, access_token(token, decision)))
        if refresh := refresh_token(token, decision):
            decision.issue.append((ADD_TOKEN, refresh))

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens; Authlib's own raises."""

    def create_oauth2_request(self, request: Request) -> Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Iterable[tuple[str, str]]) -> Response:
        if status == 302:
            location = add_params_to_uri(dict(headers)["Location"], [("iss", self.issuer)])  # RFC 9207
            return Response(status_code=303, headers={"Location": location, **NO_STORE})  # 303: RFC 9700 §4.12
        if body.get("error") == "invalid_client":
            return invalid_client()
        return answer(status, body)


def _by_proof(method: str) -> Callable[..., Client | None]:
    """A method of Authlib's that was checked before it: see `clients.proof`."""

    def authenticate(query_client: Callable[[str], Client | None], request: Request) -> Client | None:  # noqa: ARG001
        app, proof = deciding().app, deciding().proof
        return Client(app) if app and proof and (proof.app_id, proof.method) == (app.id, method) else None

    return authenticate


def _new_secret(**_: Any) -> str:
    return new_secret()


def _expires_in(client: Client, grant_type: str) -> int:  # noqa: ARG001  Authlib's signature
    decision, life = deciding(), client.profile.access_token
    left = decision.row.grant_expires_at - decision.now if decision.row else life
    return max(1, int(min(life, left).total_seconds()))


def build_server(issuer: str) -> Server:
    """The one server of a process: it holds no state of a request."""
    server = Server(issuer)
    server.register_token_generator(
        "default", BearerTokenGenerator(_new_secret, _new_secret, expires_generator=_expires_in)
    )
    for method in ASYMMETRIC_METHODS:
        server.register_client_auth_method(method, _by_proof(method))
    server.register_grant(CodeGrant, [S256(required=True)])
    server.register_grant(RefreshGrant)
    return server
