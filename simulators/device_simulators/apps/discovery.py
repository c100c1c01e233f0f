"""Where a gateway's endpoints are: SMART discovery (SMART App Launch 2.2) and the issuer's metadata (RFC 8414)."""

from dataclasses import dataclass
from typing import Any

import httpx2

from device_simulators.trust import trusted

TIMEOUT_S = 10.0  # for each request of an app: a page should say that the gateway is away before a patient gives up
NEEDED_CAPABILITIES = frozenset(
    {"launch-standalone", "permission-patient", "permission-v2", "context-standalone-patient"}
)


class NotUsable(Exception):
    """What the gateway says about itself is not enough for this app to work, or contradicts itself."""


@dataclass(frozen=True)
class Endpoints:
    """URLs of one gateway. `names_issuer`: each of its answers to the redirect URI carries `iss` (RFC 9207)."""

    fhir: str
    issuer: str
    authorization: str
    token: str
    revocation: str
    names_issuer: bool


async def discover(base_url: str) -> Endpoints:
    """What is published at `base_url`. Raises NotUsable, or httpx2.HTTPError when it does not answer."""
    fhir = f"{base_url}/fhir"
    async with httpx2.AsyncClient(timeout=TIMEOUT_S, verify=trusted()) as http:
        smart = await _document(http, f"{fhir}/.well-known/smart-configuration")
        server = await _document(http, f"{base_url}/.well-known/oauth-authorization-server")
    if missing := NEEDED_CAPABILITIES - set(smart.get("capabilities", ())):
        raise NotUsable(f"the gateway does not offer {', '.join(sorted(missing))}")
    if "S256" not in smart.get("code_challenge_methods_supported", ()):
        raise NotUsable("the gateway does not offer PKCE with S256")
    if server.get("issuer") != base_url:  # RFC 8414 §3.3: or anybody's document could send us anywhere
        raise NotUsable("the authorization server is not the one that this app was set up for")
    if any(smart.get(name) != server.get(name) for name in ("authorization_endpoint", "token_endpoint")):
        raise NotUsable("the two discovery documents contradict each other")
    return Endpoints(
        fhir,
        base_url,
        smart["authorization_endpoint"],
        smart["token_endpoint"],
        smart["revocation_endpoint"],
        bool(server.get("authorization_response_iss_parameter_supported")),
    )


async def _document(http: httpx2.AsyncClient, url: str) -> dict[str, Any]:  # Any: JSON of somebody else
    response = await http.get(url, headers={"Accept": "application/json"})
    response.raise_for_status()
    found = response.json()
    if not isinstance(found, dict):
        raise NotUsable(f"{url} is no JSON object")
    return found
