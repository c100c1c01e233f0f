"""A patient's health space, as far as the patient opened it to this app. Tokens live here, in memory, nowhere else."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError

from device_simulators.apps.client import Registration, oauth_client
from device_simulators.apps.discovery import Endpoints
from device_simulators.apps.measures import Measure

HEADERS = {"Accept": "application/fhir+json"}
ENDED = frozenset({"invalid_grant", "token_invalid"})  # RFC 6749 §5.2; Authlib's word where nothing can be renewed


class AccessWithdrawn(Exception):
    """The gateway no longer opens this space to us: the patient took it back, or it ran out."""


class Unavailable(Exception):
    """The gateway does not answer, or not as it should. What was granted may still stand."""


@dataclass
class Connection:
    """`patient` is what the gateway calls the patient towards this app; it means nothing to any other app."""

    registration: Registration
    endpoints: Endpoints
    patient: str
    token: dict[str, Any] = field(repr=False)  # Any: the token response of RFC 6749 §5.1
    # One request at a time: a slow one must not put back a token that another has renewed meanwhile.
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def shares(self, measure: Measure) -> bool:
        """Whether the scope that was granted names `measure`: it may be less than what was asked for."""
        return any(measure.code in scope for scope in str(self.token.get("scope", "")).split())

    async def get(self, url: str, parameters: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """The FHIR resource at `url`; its decimals are `Decimal`, so that 72.40 stays 72.40.

        Raises AccessWithdrawn or Unavailable.
        """
        async with self._turn:
            try:
                response = await self._answer(url, parameters)
            except OAuthError as error:
                raise AccessWithdrawn if error.error in ENDED else Unavailable from error
            except (httpx2.HTTPError, ValueError) as error:
                raise Unavailable from error
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            raise AccessWithdrawn
        try:
            found = json.loads(response.content, parse_float=Decimal)
        except ValueError as error:
            raise Unavailable from error
        if not response.is_success or not isinstance(found, dict):
            raise Unavailable
        return found

    async def give_back(self) -> None:
        """Tells the gateway to end what was granted (RFC 7009). A refresh token takes everything with it."""
        token = self.token.get("refresh_token") or self.token["access_token"]
        try:
            async with self._client() as client:
                response = await client.revoke_token(self.endpoints.revocation, token=token)
        except httpx2.HTTPError as error:
            raise Unavailable from error
        if not response.is_success:
            raise Unavailable

    async def _answer(self, url: str, parameters: Mapping[str, str] | None) -> httpx2.Response:
        async with self._client() as client:
            try:
                response: httpx2.Response = await client.get(url, params=parameters, headers=HEADERS)
                if response.status_code == httpx2.codes.UNAUTHORIZED and "refresh_token" in client.token:
                    await client.refresh_token(
                        self.endpoints.token
                    )  # refused before its time: once more, with a new one
                    response = await client.get(url, params=parameters, headers=HEADERS)
            finally:
                self.token = client.token
        return response

    def _client(self) -> AsyncOAuth2Client:
        return oauth_client(self.registration, self.endpoints, self.token)
