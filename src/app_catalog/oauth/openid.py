"""OpenID Connect Discovery 1.0, and the key set. Served where the installation has a key to keep signing keys under."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app_catalog.oauth.algorithms import ALGORITHMS
from app_catalog.oauth.signing_keys import KEY_SET_MAX_AGE, published_keys
from app_catalog.wiring import Wiring

KEYS_PATH: Final = "/oauth/jwks"
ANYBODY: Final = {"Access-Control-Allow-Origin": "*"}
CLAIMS: Final = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "fhirUser"]


def metadata(wiring: Wiring) -> dict[str, Any]:
    """What OpenID Connect adds to the metadata of the authorization server."""
    return {
        "jwks_uri": wiring.issuer + KEYS_PATH,
        "subject_types_supported": ["pairwise"],  # the pairing id: no two apps know a patient by the same
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "claims_supported": CLAIMS,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


async def keys(
    wiring: Wiring,
    master_key: bytes,
    request: Request,  # noqa: ARG001  the signature of an endpoint
) -> Response:
    """The public halves of the keys that sign now, will sign soon, or signed what is still alive."""
    async with wiring.pool.connection() as connection:
        found = await published_keys(connection, master_key, wiring.clock())
    max_age = int(KEY_SET_MAX_AGE.total_seconds())
    return JSONResponse(found, headers={**ANYBODY, "Cache-Control": f"public, max-age={max_age}"})
