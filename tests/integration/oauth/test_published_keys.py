"""Keys under a URI: fetched over real TLS from a server of the client's, cached as it says, and never from our side."""

import asyncio
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from catalogue_host import Host, patient
from client_keys import Signer, certified

from app_catalog import PublishedKeys
from app_catalog.clients.fetch import NotFetched

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


class Publisher:
    """An HTTPS server on the loopback address that answers with what it was told last, and counts."""

    def __init__(self, directory, monkeypatch):
        own = certified("CN=localhost", dns="localhost")
        chain = directory / "localhost.pem"
        chain.write_text(own.key_pem + own.pem)
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))  # OpenSSL's own way to name whom one trusts
        publisher = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                publisher.asked.append(self.headers["Host"])
                self.send_response(publisher.status)
                for name, value in publisher.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(publisher.body)

            def log_message(self, *_):
                pass

        self.status, self.headers, self.body, self.asked = 200, {}, b"", []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.uri = f"https://localhost:{self.server.server_port}/jwks"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def publish(self, *signers, **headers):
        self.body = json.dumps({"keys": [signer.public for signer in signers]}).encode()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def publisher(tmp_path, monkeypatch) -> Iterator[Publisher]:
    running = Publisher(tmp_path, monkeypatch)
    yield running
    running.server.shutdown()
    running.server.server_close()


def keys_inside():
    return PublishedKeys(["localhost"])


async def test_a_client_with_published_keys_changes_them_without_telling_us(publisher, app_pool):
    host = Host(app_pool, published_keys=keys_inside())
    old, new = Signer("RS384"), Signer("ES384")
    publisher.publish(old, Cache_Control="max-age=3600")
    metadata = {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": publisher.uri}
    app = await host.known_by("smart-asym", metadata)
    app.proof = lambda: old.form(app.client_id, {"jku": publisher.uri})
    token = await app.tokens(patient())
    assert len(publisher.asked) == 1
    publisher.publish(old, new, Cache_Control="max-age=3600")
    app.proof = lambda: new.form(app.client_id)
    assert (await app.refresh(token["refresh_token"])).status_code == 401, "it was fetched a moment ago"
    host.offset = timedelta(seconds=31)
    assert (await app.refresh(token["refresh_token"])).status_code == 200
    assert (await app.refresh(token["refresh_token"])).status_code == 200
    assert len(publisher.asked) == 2
    assert publisher.asked[0] == f"localhost:{publisher.server.server_port}"


async def test_keys_are_used_for_as_long_as_the_answer_says_and_fetched_once_for_all_who_wait(publisher):
    keys = keys_inside()
    publisher.publish(Signer(), Cache_Control="max-age=60")
    await asyncio.gather(*(keys.of(publisher.uri, NOW) for _ in range(5)))
    await keys.of(publisher.uri, NOW + timedelta(seconds=59))
    assert len(publisher.asked) == 1
    await keys.of(publisher.uri, NOW + timedelta(seconds=61))
    assert len(publisher.asked) == 2
    publisher.publish(Signer(), Cache_Control="no-store")
    for second in (200, 201):
        await keys.of(publisher.uri, NOW + timedelta(seconds=second))
    assert len(publisher.asked) == 4


async def test_after_a_failure_keys_at_hand_serve_until_their_end_and_the_next_try_waits(publisher):
    keys = keys_inside()
    publisher.publish(Signer(), Cache_Control="max-age=60")
    await keys.of(publisher.uri, NOW)
    publisher.status = 500
    with pytest.raises(NotFetched):
        await keys.anew(publisher.uri, NOW + timedelta(seconds=40))
    await keys.of(publisher.uri, NOW + timedelta(seconds=50))
    for _ in range(3):
        with pytest.raises(NotFetched):
            await keys.of(publisher.uri, NOW + timedelta(seconds=61))
    assert len(publisher.asked) == 2
    publisher.status = 200
    await keys.of(publisher.uri, NOW + timedelta(seconds=71))


async def test_only_a_plain_answer_with_keys_counts(publisher):
    for status, headers, body in (
        (302, {"Location": "https://localhost/"}, b""),
        (404, {}, b'{"keys": []}'),
        (200, {}, b"{"),
        (200, {}, b"\xff"),
        (200, {}, b"[]"),
        (200, {}, b'{"keys": [' + b"[" * 50_000),
        (200, {}, b" " * 70_000),
        (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
    ):
        publisher.status, publisher.headers, publisher.body = status, headers, body
        with pytest.raises(NotFetched):
            await keys_inside().of(publisher.uri, NOW)
    assert len(publisher.asked) == 8


async def test_no_server_of_our_own_side_is_ever_asked(publisher):
    publisher.publish(Signer())
    port = publisher.server.server_port
    for uri in (publisher.uri, f"https://127.0.0.1:{port}/", f"https://[::1]:{port}/", f"https://2130706433:{port}/"):
        with pytest.raises(NotFetched):
            await PublishedKeys().of(uri, NOW)
    with pytest.raises(NotFetched):
        await PublishedKeys(["other.example"]).of(publisher.uri, NOW)
    assert publisher.asked == []


async def test_a_server_whose_certificate_is_not_trusted_is_not_believed(publisher, monkeypatch, tmp_path):
    publisher.publish(Signer())
    empty = tmp_path / "nobody.pem"
    empty.write_text(certified("CN=somebody else").pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))
    with pytest.raises(NotFetched):
        await keys_inside().of(publisher.uri, NOW)
    assert publisher.asked == []
