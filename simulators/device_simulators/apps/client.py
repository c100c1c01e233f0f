"""The OAuth client: Authlib's, set up for one app."""

from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.httpx_client import AsyncOAuth2Client

from device_simulators.apps.discovery import TIMEOUT_S, Endpoints
from device_simulators.trust import trusted


@dataclass(frozen=True)
class Registration:
    """What an app was given when it was approved. Without a secret it is a public client."""

    client_id: str
    redirect_uri: str
    client_secret: str | None = field(default=None, repr=False)


def oauth_client(registration: Registration, endpoints: Endpoints, token: Any = None) -> AsyncOAuth2Client:
    """A client to be used in ``async with``. With a `token`, it renews it shortly before it expires.

    No `scope` is set: Authlib would send it with each refresh, and ask again for what the patient may have left out.
    """
    return AsyncOAuth2Client(
        registration.client_id,
        registration.client_secret,
        token_endpoint_auth_method="client_secret_basic" if registration.client_secret else "none",
        redirect_uri=registration.redirect_uri,
        code_challenge_method="S256",
        token=token,
        token_endpoint=endpoints.token,
        timeout=TIMEOUT_S,
        verify=trusted(),
    )
