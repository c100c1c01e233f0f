"""Clients that authenticate by a certificate where our own server has TLS: real connections, and no proxy."""

import asyncio
import json
import os
import ssl
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import uvicorn
from catalogue_host import Host, patient
from client_keys import Certified, Signer, certified

from app_catalog import CertificateHeader
from app_catalog.clients.certificate import Certificate
from app_catalog.oauth.secret_text import base64url
from device_gateway.client_tls import tls_options
from device_gateway.settings import Settings

METADATA = {"token_endpoint_auth_method": "tls_client_auth", "tls_client_certificate_bound_access_tokens": True}
SUBJECT = "CN=app.example,O=Acme\\, Inc.,C=DE"


@pytest.fixture
def host(app_pool):
    return Host(app_pool, certificates=CertificateHeader(direct=True))


@asynccontextmanager
async def serving(host: Host, directory: Path, *clients: Certified) -> AsyncIterator[int]:
    """The port of the host, served as `serve` does with these settings."""
    own = certified("CN=127.0.0.1", ip="127.0.0.1")
    files = {"own.pem": own.pem, "own.key": own.key_pem, "clients.pem": "".join(one.pem for one in clients)}
    for name, text in files.items():
        (directory / name).write_text(text)
    settings = Settings(
        tls_certificate=directory / "own.pem",
        tls_key=directory / "own.key",
        client_authorities=directory / "clients.pem",
    )
    options = {"port": 0, "log_config": None, "lifespan": "off", **tls_options(settings)}
    server = uvicorn.Server(uvicorn.Config(host.app, **options))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # uvicorn has no event for it
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


def connection(directory: Path, port: int, shown: Certified | None) -> httpx2.AsyncClient:
    context = ssl.create_default_context(cafile=str(directory / "own.pem"))
    if shown is not None:
        (directory / "client.pem").write_text(shown.pem + shown.key_pem)
        context.load_cert_chain(directory / "client.pem")
    return httpx2.AsyncClient(verify=context, base_url=f"https://127.0.0.1:{port}")


async def test_a_certificate_shown_to_our_own_server_authenticates_and_binds(host, tmp_path):
    mine, other = certified(SUBJECT), certified("CN=other")
    app = await host.known_by("hddt", METADATA | {"tls_client_auth_subject_dn": SUBJECT})
    async with serving(host, tmp_path, mine, other) as port:

        async def ask(shown: Certified | None, path: str, form: dict[str, str], **headers: str) -> httpx2.Response:
            async with connection(tmp_path, port, shown) as client:
                return await client.post(path, data=form, headers=headers)

        parameters, verifier = app.authorization()
        for wrong in (None, other):
            assert (await ask(wrong, "/oauth/par", parameters)).status_code == 401
        forged = {"client-cert": mine.header}
        assert (await ask(None, "/oauth/par", parameters, **forged)).status_code == 401
        pushed = await ask(mine, "/oauth/par", parameters)
        assert pushed.status_code == 201, pushed.text
        answered, _ = await app.answer(
            patient(),
            ["weight"],
            **dict.fromkeys(set(parameters) - {"client_id"}),
            request_uri=pushed.json()["request_uri"],
        )
        code = httpx2.URL(answered.headers["location"]).params["code"]
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "client_id": app.client_id}
        assert (await ask(other, "/oauth/token", form)).status_code == 401
        token = (await ask(mine, "/oauth/token", form)).json()
        told = {"token": token["access_token"]}
        bearer = {"authorization": f"Bearer {token['access_token']}"}
        assert (await ask(other, "/oauth/introspect", told, **bearer)).status_code == 401
        about = (await ask(mine, "/oauth/introspect", told, **bearer)).json()
        assert about["cnf"] == {"x5t#S256": base64url(Certificate(mine.der).thumbprint)}
        with pytest.raises(httpx2.TransportError):
            await ask(certified("CN=unknown"), "/oauth/par", parameters)


@asynccontextmanager
async def three_processes(settings: dict[str, object], directory: Path, port: int) -> AsyncIterator[Path]:
    """`serve` with three worker processes, told everything by a file; gives the file of its log."""
    (directory / "settings.toml").write_text("\n".join(f"{name} = {json.dumps(it)}" for name, it in settings.items()))
    with (directory / "log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("device-gateway"), "serve", "--data-dir", directory / "data",
            "--config", directory / "settings.toml", "--port", str(port),
            stdout=log, stderr=log, env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        )  # fmt: skip
    try:
        async with connection(directory, port, None) as client:
            for _ in range(600):
                try:
                    await client.get("/healthz")
                    break
                except httpx2.TransportError:
                    await asyncio.sleep(0.1)
        yield directory / "log"
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.slow
async def test_certificates_and_assertions_count_alike_in_every_worker_process(app_pool, app_url, tmp_path):
    port = 18_443
    host, signer = Host(app_pool), Signer()
    app = await host.known_by("hddt", METADATA | {"tls_client_auth_subject_dn": SUBJECT})
    signing = await host.known_by("smart-asym", signer.metadata)
    signing.proof = lambda: signer.form(signing.client_id)
    token = await signing.tokens(patient())
    mine, other, own = certified(SUBJECT), certified("CN=other"), certified("CN=127.0.0.1", ip="127.0.0.1")
    for name, text in {"own.pem": own.pem, "own.key": own.key_pem, "clients.pem": mine.pem + other.pem}.items():
        (tmp_path / name).write_text(text)
    settings = {
        "database_url": app_url, "workers": 3, "public_url": f"https://127.0.0.1:{port}", "log_level": "DEBUG",
        "tls_certificate": str(tmp_path / "own.pem"), "tls_key": str(tmp_path / "own.key"),
        "client_authorities": str(tmp_path / "clients.pem"),
    }  # fmt: skip
    parameters, _ = app.authorization(aud=None)
    proof = signer.form(signing.client_id, aud=settings["public_url"])
    refresh = {**proof, "grant_type": "refresh_token", "refresh_token": token["refresh_token"]}

    async def ask(shown: Certified | None, path: str, form: dict[str, str], **headers: str) -> int:
        async with connection(tmp_path, port, shown) as client:  # each time a connection, so that any process has it
            return (await client.post(path, data=form, headers=headers)).status_code

    async with three_processes(settings, tmp_path, port) as log:
        for shown, headers, status in (
            (mine, {}, 201), (other, {}, 401), (None, {}, 401), (other, {"client-cert": mine.header}, 401)
        ):  # fmt: skip
            assert {await ask(shown, "/oauth/par", parameters, **headers) for _ in range(9)} == {status}
        answers = Counter(await asyncio.gather(*(ask(None, "/oauth/token", refresh) for _ in range(18))))
        assert answers == {200: 1, 401: 17}, "an assertion is taken once by all of them together"
        with pytest.raises(httpx2.TransportError):
            await ask(certified("CN=unknown"), "/oauth/par", parameters)
        async with connection(tmp_path, port, None) as client:
            await client.get("/fhir/Observation", headers={"authorization": f"Bearer {token['access_token']}"})
    text = log.read_text()
    assert text.count("ready ") == 1
    assert not any(
        secret in text for secret in (proof["client_assertion"], token["access_token"], token["refresh_token"])
    )
