"""Clients that we did not write: Authlib's and requests-oauthlib, over a socket."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx2
import pytest
import uvicorn
from authlib.integrations.httpx_client import AsyncOAuth2Client
from catalogue_host import ALL_SCOPES, FHIR, REDIRECT, hidden, patient
from requests_oauthlib import OAuth2Session

from app_catalog import grant_of_token


@pytest.fixture
async def base_url(host) -> AsyncIterator[str]:
    """The catalogue behind uvicorn on a free port of the loopback address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(host.app, log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110  uvicorn tells it by this attribute only
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await task


async def consent(host, base_url, person, authorization_url):
    """What the patient does in a browser; returns the address that the app is called back at."""
    host.people[str(person.id)] = person
    async with httpx2.AsyncClient(headers={"x-person": str(person.id)}, base_url=base_url) as browser:
        parts = urlsplit(authorization_url)
        page = await browser.get(f"{parts.path}?{parts.query}")
        form = {
            "request": hidden(page.text, "request"),
            "csrf_token": hidden(page.text, "csrf_token"),
            "purpose": re.findall('name="purpose" value="([^"]+)"', page.text),
            "decision": "approve",
        }
        return (await browser.post("/oauth/consent", data=form)).headers["location"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
async def test_authlibs_client_gets_refreshes_introspects_and_revokes(host, base_url, method):
    app = await host.approved("smart-public" if method == "none" else "smart-secret")
    async with AsyncOAuth2Client(
        app.client_id,
        app.secret,
        token_endpoint_auth_method=method,
        redirect_uri=REDIRECT,
        scope=ALL_SCOPES,
        code_challenge_method="S256",
    ) as client:
        verifier = "v" * 64
        url, state = client.create_authorization_url(f"{base_url}/oauth/authorize", code_verifier=verifier, aud=FHIR)
        callback = await consent(host, base_url, patient(), url)
        token = await client.fetch_token(
            f"{base_url}/oauth/token", authorization_response=callback, code_verifier=verifier, state=state
        )
        assert token["patient"]
        refreshed = await client.refresh_token(f"{base_url}/oauth/token", refresh_token=token["refresh_token"])
        assert refreshed["access_token"] != token["access_token"]
        if method != "none":
            about = await client.introspect_token(f"{base_url}/oauth/introspect", token=refreshed["access_token"])
            assert about.json()["active"]
        revoked = await client.revoke_token(f"{base_url}/oauth/revoke", token=client.token["refresh_token"])
        assert revoked.status_code == 200
    async with host.pool.connection() as connection:
        grant = await grant_of_token(connection, refreshed["access_token"], host.now())
    assert grant.refusal == "grant revoked"


async def test_requests_oauthlib_gets_and_refreshes(host, base_url, monkeypatch):
    monkeypatch.setitem(os.environ, "OAUTHLIB_INSECURE_TRANSPORT", "1")
    app = await host.approved()
    session = OAuth2Session(app.client_id, redirect_uri=REDIRECT, scope=ALL_SCOPES.split(), pkce="S256")
    url, _ = session.authorization_url(f"{base_url}/oauth/authorize", aud=FHIR)
    callback = await consent(host, base_url, patient(), url)
    monkeypatch.setitem(os.environ, "OAUTHLIB_RELAX_TOKEN_SCOPE", "1")
    token = await asyncio.to_thread(
        session.fetch_token, f"{base_url}/oauth/token", authorization_response=callback, include_client_id=True
    )
    refreshed = await asyncio.to_thread(
        session.refresh_token, f"{base_url}/oauth/token", token["refresh_token"], client_id=app.client_id
    )
    assert refreshed["access_token"] != token["access_token"]
    assert refreshed["patient"] == token["patient"]
