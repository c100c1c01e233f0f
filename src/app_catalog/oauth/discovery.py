"""What clients can find out by themselves (RFC 8414, SMART 2.2). Only what works is listed."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app_catalog.catalogue import brands
from app_catalog.oauth import authorize, introspect, openid, par, registration, revoke, token
from app_catalog.oauth.profiles import METHODS, PROFILES, TLS_NAME, TLS_SELF_SIGNED
from app_catalog.wiring import Wiring

PATH = "/.well-known/oauth-authorization-server"
OPENID_PATH = "/.well-known/openid-configuration"
TLS_METHODS = frozenset({TLS_NAME, TLS_SELF_SIGNED})
SSO = "sso-openid-connect"
ASSERTION_ALGS = sorted({alg for profile in PROFILES.values() for alg in profile.assertion_algs})
CAPABILITIES = [
    "launch-standalone",
    "launch-ehr",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "context-standalone-patient",
    "context-ehr-patient",
    "context-banner",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-v1",
    "permission-v2",
]


def _methods(wiring: Wiring) -> list[str]:
    """Without those by certificate where no proxy may pass one on."""
    return [method for method in METHODS if wiring.certificates.is_used or method not in TLS_METHODS]


def _common(wiring: Wiring) -> dict[str, Any]:
    return {
        "authorization_endpoint": wiring.issuer + authorize.PATH,
        "token_endpoint": wiring.issuer + token.PATH,
        "revocation_endpoint": wiring.issuer + revoke.PATH,
        "introspection_endpoint": wiring.issuer + introspect.PATH,
        "grant_types_supported": sorted(token.PRESENTED),
        "response_types_supported": ["code"],
        "scopes_supported": [*sorted(wiring.context_scopes), *wiring.resource_scopes],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": _methods(wiring),
        "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGS,
        "registration_endpoint": wiring.issuer + registration.PATH,
    }


def authorization_server_metadata(wiring: Wiring) -> dict[str, Any]:
    """The document of RFC 8414, and with OpenID Connect that of its Discovery 1.0."""
    identity = openid.metadata(wiring) if wiring.master_key is not None else {}
    return {
        **identity,
        "issuer": wiring.issuer,
        **_common(wiring),
        "response_modes_supported": ["query"],
        "pushed_authorization_request_endpoint": wiring.issuer + par.PATH,
        "revocation_endpoint_auth_methods_supported": _methods(wiring),
        "revocation_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGS,
        "introspection_endpoint_auth_methods_supported": [method for method in _methods(wiring) if method != "none"],
        "introspection_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGS,
        "tls_client_certificate_bound_access_tokens": wiring.certificates.is_used,
        "require_pushed_authorization_requests": False,  # some profiles do
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["fr", "en"],
    }


def smart_configuration(wiring: Wiring) -> dict[str, Any]:
    """The document of ``[fhir-base]/.well-known/smart-configuration``, which the host serves, with CORS for anyone.

    `issuer` and `jwks_uri` are those of OpenID Connect: without it they are not there (SMART 2.2 @381 @382).
    """
    management: dict[str, Any] = {"management_endpoint": wiring.management_url} if wiring.management_url else {}
    if wiring.brand is not None:
        management["user_access_brand_bundle"] = wiring.issuer + brands.PATH
        management["user_access_brand_identifier"] = wiring.brand.identifier
    if wiring.master_key is None:
        return {**_common(wiring), **management, "capabilities": CAPABILITIES}
    identity = {"issuer": wiring.issuer, "jwks_uri": wiring.issuer + openid.KEYS_PATH}
    return {**identity, **_common(wiring), **management, "capabilities": [*CAPABILITIES, SSO]}


async def metadata(wiring: Wiring, request: Request) -> Response:  # noqa: ARG001  the signature of an endpoint
    return JSONResponse(authorization_server_metadata(wiring), headers={"Access-Control-Allow-Origin": "*"})
