"""A real mail server that asks for TLS and a password: what goes out, and what the operator learns otherwise."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from client_keys import certified
from psycopg.rows import namedtuple_row
from structlog.testing import capture_logs

from device_gateway.commands.doctor import _mail
from device_gateway.mail.delivery import Server, deliver_due
from device_gateway.mail.outbox import Outbox
from device_gateway.settings import Settings

PASSWORD = "p@ss:w/rd"
QUOTED = "p%40ss%3Aw%2Frd"


class Postbox:
    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.logins: list[bytes] = []

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        self.taken.append((envelope, session.ssl is not None or self.implicit, session.authenticated))
        return "250 taken"

    def log_in(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        self.logins.append(data.login)
        return AuthResult(success=(data.login, data.password) == (b"gateway", PASSWORD.encode()), handled=False)

    implicit = False


@contextmanager
def server(folder: Path, *, implicit: bool) -> Iterator[SimpleNamespace]:
    """On a port of this machine, with a certificate that nobody but its file vouches for."""
    ours = certified("CN=mail", ip="127.0.0.1")
    certificate, key = folder / "mail.pem", folder / "mail.key"
    certificate.write_text(ours.pem)
    key.write_text(ours.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    box = Postbox()
    box.implicit = implicit
    asks: dict[str, Any] = {"authenticator": box.log_in, "auth_required": True}
    asks |= (
        {"ssl_context": context, "auth_require_tls": False}
        if implicit
        else {"tls_context": context, "require_starttls": True}
    )
    controller = Controller(box, hostname="127.0.0.1", port=port, **asks)
    controller.start()
    scheme = "smtps" if implicit else "smtp"
    try:
        yield SimpleNamespace(
            box=box, authorities=certificate, url=f"{scheme}://gateway:{QUOTED}@127.0.0.1:{port}",
            wrong=f"{scheme}://gateway:s3cret-of-yesterday@127.0.0.1:{port}",
        )  # fmt: skip
    finally:
        controller.stop()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # all of the session is under TLS
@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
async def test_mail_goes_out_under_tls_to_who_logged_in_and_waits_with_a_clear_reason_where_it_cannot(
    implicit, app_url, app_pool, tmp_path
):
    def settings(**changes: Any) -> Settings:
        return Settings(database_url=app_url, **changes)

    def kept() -> list[Any]:
        with psycopg.connect(app_url, row_factory=namedtuple_row) as connection:
            return connection.execute("SELECT * FROM gateway.outgoing_mail ORDER BY created_at").fetchall()

    async with app_pool.connection() as connection:
        for name in ("ana", "ben", "cleo"):
            await Outbox(None).send(connection, f"{name}@example.org", "Bonjour", "Un lien : https://x/?token=tok3n")
    now = datetime.now(UTC)
    with server(tmp_path, implicit=implicit) as post, capture_logs() as logs:
        good = settings(smtp_url=post.url, smtp_authorities=post.authorities)
        assert deliver_due(settings(smtp_url=post.wrong, smtp_authorities=post.authorities), now) == 0
        assert len(post.box.logins) <= 2, "once per mechanism, not per mail: servers lock out who tries too often"
        assert {row.last_error for row in kept()} == {
            "The mail server refuses the user name or the password (535): DEVICE_GATEWAY_SMTP_URL."
        }
        assert deliver_due(good, now) == 0, "not before its time"
        later = now + timedelta(minutes=2)
        if implicit:  # with STARTTLS on this machine a server that nobody vouches for is spoken to in the clear
            unknown = settings(smtp_url=post.url)
            assert deliver_due(unknown, later) == 0
            assert "is not trusted (self-signed certificate)" in kept()[0].last_error
            assert "DEVICE_GATEWAY_SMTP_AUTHORITIES" in kept()[0].last_error
            assert "is not trusted" in _mail(unknown).state
            assert b"token" in kept()[0].body, "it is kept"
            later += timedelta(minutes=3)
        assert deliver_due(good, later) == 3
        assert _mail(good).state == "handed in by SMTP"
        assert [(encrypted, authenticated) for _, encrypted, authenticated in post.box.taken] == [(True, True)] * 3
        assert all(row.sent_at and row.last_error is None for row in kept())
    said = repr(logs) + repr(Server.of(good)) + repr([row.last_error for row in kept()])
    for secret in (PASSWORD, QUOTED, "s3cret", "tok3n"):
        assert secret not in said
