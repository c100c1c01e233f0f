"""An app as a vendor would write it with Authlib and requests: no line of the product is imported here."""

import requests
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import OAuth2Client
from playwright.sync_api import Page
from third_parties import Json, decide


class AuthlibApp:
    """An app of demo.json, as somebody would write it with Authlib and the discovery document."""

    def __init__(self, demo: Json, entry: Json) -> None:
        self.entry = entry
        self.fhir_url = demo["fhir_url"]
        found = requests.get(f"{self.fhir_url}/.well-known/smart-configuration", timeout=10).json()
        self.endpoints = found
        self.verifier = generate_token(64)
        self.client = OAuth2Client(
            entry["client_id"],
            entry["client_secret"],
            redirect_uri=entry["redirect_uri"],
            code_challenge_method="S256",
            token_endpoint=found["token_endpoint"],
        )

    def authorize_url(self, **changed: str) -> tuple[str, str]:
        """URL and state."""
        parameters = {"scope": self.entry["scope"], "aud": self.fhir_url} | changed
        url, state = self.client.create_authorization_url(
            self.endpoints["authorization_endpoint"], code_verifier=self.verifier, **parameters
        )
        return url, state

    def exchange(self, code: str) -> Json:
        return dict(self.client.fetch_token(code=code, code_verifier=self.verifier, grant_type="authorization_code"))

    def connect(self, page: Page, person: Json, *purposes: str) -> Json:
        """The whole dance; returns the token response."""
        url, state = self.authorize_url()
        page.goto(url)
        answer = decide(page, person, purposes, redirect_uri=self.entry["redirect_uri"])
        assert answer["state"] == state
        return self.exchange(answer["code"])

    def get(self, path: str, **parameters: str) -> requests.Response:
        """A FHIR request with the token as it is: nothing is renewed on the way."""
        return requests.get(
            f"{self.fhir_url}/{path}",
            params=parameters,
            headers={"Authorization": f"Bearer {self.client.token['access_token']}"},
            timeout=10,
        )

    def close(self) -> None:
        self.client.close()
