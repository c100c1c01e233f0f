"""What clients can find out by themselves (RFC 8414, SMART 2.2). Only what works is listed."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app_catalog.oauth import authorize, introspect, revoke, token
from app_catalog.oauth.authorization_request import HONOURED_CONTEXT
from app_catalog.wiring import Wiring

PATH = "/.well-known/oauth-authorization-server"
CLIENT_METHODS = ["none", "client_secret_basic", "client_secret_post"]
SECRET_METHODS = ["client_secret_basic", "client_secret_post"]
CAPABILITIES = [
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "context-standalone-patient",
    "permission-offline",
    "permission-patient",
    "permission-v1",
    "permission-v2",
]


def _common(wiring: Wiring) -> dict[str, Any]:
    return {
        "authorization_endpoint": wiring.issuer + authorize.PATH,
        "token_endpoint": wiring.issuer + token.PATH,
        "revocation_endpoint": wiring.issuer + revoke.PATH,
        "introspection_endpoint": wiring.issuer + introspect.PATH,
        "grant_types_supported": sorted(token.PRESENTED),
        "response_types_supported": ["code"],
        "scopes_supported": [*sorted(HONOURED_CONTEXT), *wiring.resource_scopes],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": CLIENT_METHODS,
    }


def authorization_server_metadata(wiring: Wiring) -> dict[str, Any]:
    """The document of RFC 8414."""
    return {
        "issuer": wiring.issuer,
        **_common(wiring),
        "response_modes_supported": ["query"],
        "revocation_endpoint_auth_methods_supported": CLIENT_METHODS,
        "introspection_endpoint_auth_methods_supported": SECRET_METHODS,
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["fr", "en"],
    }


def smart_configuration(wiring: Wiring) -> dict[str, Any]:
    """The document of ``[fhir-base]/.well-known/smart-configuration``, which the host serves, with CORS for anyone.

    No `issuer` and no `jwks_uri`: SMART 2.2 wants them with OpenID Connect only (@381 @382).
    """
    management = {"management_endpoint": wiring.management_url} if wiring.management_url else {}
    return {**_common(wiring), **management, "capabilities": CAPABILITIES}


async def metadata(wiring: Wiring, request: Request) -> Response:  # noqa: ARG001  the signature of an endpoint
    return JSONResponse(authorization_server_metadata(wiring), headers={"Access-Control-Allow-Origin": "*"})
