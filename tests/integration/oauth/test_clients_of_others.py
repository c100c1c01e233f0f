"""Clients that we did not write: Authlib's, requests-oauthlib and npm's openid-client, over a socket."""

import asyncio
import fcntl
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import copy
from urllib.parse import urlsplit

import httpx2
import pytest
import uvicorn
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from catalogue_host import ALL_SCOPES, FHIR, ISSUER, REDIRECT, hidden, patient
from client_keys import Signer
from requests_oauthlib import OAuth2Session

from app_catalog import grant_of_token

NODE_CLIENTS = Path(__file__).parents[2] / "support" / "node_clients"


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


class ShortLived(PrivateKeyJWT):
    """Authlib signs for an hour, and repeats the jti of claims that it was given once; SMART wants neither."""

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 240}
        return super().sign(auth, token_endpoint)


async def test_authlibs_client_signs_who_it_is(host, base_url):
    signer = Signer("RS384")
    app = await host.known_by("smart-asym", signer.metadata)
    method = ShortLived(f"{ISSUER}/oauth/token", headers={"kid": signer.kid}, alg="RS384")
    async with AsyncOAuth2Client(
        app.client_id,
        signer.key.as_pem(private=True).decode(),
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
        refreshed = await client.refresh_token(f"{base_url}/oauth/token", refresh_token=token["refresh_token"])
        assert refreshed["access_token"] != token["access_token"]
        about = await client.introspect_token(f"{base_url}/oauth/introspect", token=refreshed["access_token"])
        assert about.json()["active"]


@pytest.mark.parametrize(
    ("profile", "alg", "push"),
    [
        ("smart-public", None, True),
        ("smart-asym", "ES384", False),
        ("hddt", "PS256", True),
    ],
)
async def test_openid_client_gets_refreshes_introspects_and_revokes(host, base_url, node_clients, profile, alg, push):  # noqa: PLR0917
    signer = Signer(alg) if alg else None
    app = await (host.known_by(profile, signer.metadata) if signer else host.approved(profile))
    endpoints = {
        f"{name}_endpoint": f"{base_url}/oauth/{path}"
        for name, path in (
            ("authorization", "authorize"), ("token", "token"), ("revocation", "revoke"),
            ("introspection", "introspect"), ("pushed_authorization_request", "par"),
        )
    }  # fmt: skip
    told = {
        "packages": str(node_clients), "clientId": app.client_id, "secret": app.secret, "redirectUri": REDIRECT,
        "scope": ALL_SCOPES, "audience": FHIR, "push": push, "jwk": signer and signer.key.as_dict(private=True),
        "server": {"issuer": ISSUER, "authorization_response_iss_parameter_supported": True, **endpoints},
    }  # fmt: skip
    program = NODE_CLIENTS / "openid_client.mjs"
    running = await asyncio.create_subprocess_exec("node", str(program), stdin=PIPE, stdout=PIPE)
    running.stdin.write(json.dumps(told).encode() + b"\n")
    url = (await running.stdout.readline()).decode().strip()
    assert ("request_uri" in url) is push
    running.stdin.write((await consent(host, base_url, patient(), url)).encode() + b"\n")
    became = json.loads((await running.communicate())[0])
    assert became["token"]["patient"]
    assert became["refreshed"]["access_token"] != became["token"]["access_token"]
    if profile != "smart-public":
        assert became["about"]["active"]
    async with host.pool.connection() as connection:
        grant = await grant_of_token(connection, became["refreshed"]["access_token"], host.now())
    assert grant.refusal == "grant revoked"


@pytest.fixture(scope="module")
def node_clients() -> Path:
    """Where the packages of the lock are; kept beside Python's, for npm takes seconds."""
    digest = hashlib.sha256((NODE_CLIENTS / "package-lock.json").read_bytes()).hexdigest()[:16]
    directory = Path(sys.prefix) / "node" / digest
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed: tests run in several processes
        if not (directory / "installed").exists():
            for name in ("package.json", "package-lock.json"):
                copy(NODE_CLIENTS / name, directory)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=directory, check=True, capture_output=True, timeout=120)
            (directory / "installed").touch()
    return directory / "node_modules"
