"""Mail: written in the transaction that caused it, handed in to a real SMTP server, given up with a reason."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default as modern
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from aiosmtpd.controller import Controller
from psycopg.rows import namedtuple_row
from typer.testing import CliRunner

from device_gateway.cli import app
from device_gateway.database.pool import AsyncPool
from device_gateway.errors import BadSetting
from device_gateway.mail.delivery import deliver_due
from device_gateway.mail.outbox import Outbox
from device_gateway.settings import Settings

LINK = "http://127.0.0.1:8000/catalogue/vendor/join?token=tok3n"
TEXT = f"Bonjour, vous êtes invitée :\n{LINK}\n"


@dataclass
class Postbox:
    """A server that takes what is for anybody@example.org, and answers as told for others."""

    answers: dict[str, str] = field(default_factory=dict)
    taken: list[Any] = field(default_factory=list)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if answer := self.answers.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's names
        self.taken.append(envelope)
        return "250 taken"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "key"


@pytest.fixture
def post() -> Iterator[SimpleNamespace]:
    box = Postbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield SimpleNamespace(box=box, url=f"smtp://127.0.0.1:{port}", stop=controller.stop)
    if controller.server is not None:
        controller.stop()


def settings(app_url: str, key_file: Path, **changes: Any) -> Settings:
    return Settings(database_url=app_url, catalogue_key=key_file, **changes)


def outbox(key_file: Path) -> Outbox:
    from device_gateway.catalogue_key import catalogue_key

    return Outbox(catalogue_key(Settings(catalogue_key=key_file)))


async def write(pool: AsyncPool, key_file: Path, to: str = "ana@example.org") -> None:
    async with pool.connection() as connection:
        await outbox(key_file).send(connection, to, "Une invitation", TEXT)


def rows(app_url: str) -> list[Any]:
    with psycopg.connect(app_url, row_factory=namedtuple_row) as connection:
        return connection.execute("SELECT * FROM gateway.outgoing_mail ORDER BY created_at").fetchall()


async def test_a_mail_goes_out_once_and_its_text_is_erased(app_url, app_pool, key_file, post):
    await write(app_pool, key_file)
    assert b"tok3n" not in rows(app_url)[0].body, "a copy of the database opens no link"
    assert deliver_due(settings(app_url, key_file, smtp_url=post.url, mail_from="Gateway <post@example.org>")) == 1
    assert deliver_due(settings(app_url, key_file, smtp_url=post.url)) == 0
    (envelope,) = post.box.taken
    message = message_from_bytes(envelope.original_content, policy=modern)
    assert (envelope.mail_from, envelope.rcpt_tos) == ("post@example.org", ["ana@example.org"])
    assert (message["Subject"], message.get_content().split()) == ("Une invitation", TEXT.split())
    (row,) = rows(app_url)
    assert (row.body, row.attempts, row.last_error) == (None, 1, None)
    assert row.sent_at
    assert str(row.id) in message["Message-ID"]


async def test_a_mail_of_a_transaction_that_failed_never_was(app_url, app_pool, key_file):
    async with app_pool.connection() as connection, connection.transaction() as transaction:
        await outbox(key_file).send(connection, "ana@example.org", "x", "y")
        raise psycopg.Rollback(transaction)
    assert rows(app_url) == []


async def test_a_server_that_is_away_is_tried_again_later_each_time_and_given_up_in_the_end(
    app_url, app_pool, key_file, post
):
    await write(app_pool, key_file)
    post.stop()
    known, now = settings(app_url, key_file, smtp_url=post.url), datetime.now(UTC)
    pauses = []
    for _ in range(3):
        assert deliver_due(known, now) == 0
        (row,) = rows(app_url)
        pauses.append(round((row.next_at - now).total_seconds() / 60))
        assert deliver_due(known, now) == 0, "not before its time"
        now = row.next_at
    assert (pauses, rows(app_url)[0].attempts) == ([1, 2, 4], 3)
    assert deliver_due(known, now + timedelta(days=4)) == 0
    (row,) = rows(app_url)
    assert row.failed_at
    assert "ConnectionRefusedError" in row.last_error


async def test_an_address_that_the_server_refuses_is_given_up_at_once_and_the_others_go_on(
    app_url, app_pool, key_file, post
):
    post.box.answers = {"gone@example.org": "550 no such person", "full@example.org": "452 mailbox full"}
    await write(app_pool, key_file, "no address\r\nBcc: everybody@example.org")
    for name in ("gone", "full", "ana"):
        await write(app_pool, key_file, f"{name}@example.org")
    assert deliver_due(settings(app_url, key_file, smtp_url=post.url)) == 1
    none, gone, full, ana = rows(app_url)
    assert none.failed_at
    assert [one.rcpt_tos for one in post.box.taken] == [["ana@example.org"]]
    assert (gone.failed_at is not None, gone.last_error, gone.body) == (True, "550 no such person", None)
    assert (full.failed_at, full.attempts, ana.sent_at is not None) == (None, 1, True)


async def test_without_a_server_mail_is_kept_for_the_operator_and_forgotten_in_time(
    app_url, app_pool, key_file, monkeypatch
):
    await write(app_pool, key_file)
    known = settings(app_url, key_file)
    assert deliver_due(known) == 0
    monkeypatch.setenv("DEVICE_GATEWAY_DATABASE_URL", app_url)
    monkeypatch.setenv("DEVICE_GATEWAY_CATALOGUE_KEY", str(key_file))
    listing = CliRunner().invoke(app, ["mail", "list", "--json"])
    (mail,) = json.loads(listing.stdout)
    assert (mail["state"], mail["recipient"], LINK in listing.stdout) == ("waits", "ana@example.org", False)
    assert json.loads(CliRunner().invoke(app, ["mail", "show", mail["id"][:8], "--json"]).stdout)["text"] == TEXT
    assert LINK in CliRunner().invoke(app, ["mail", "show", mail["id"][:8]]).stdout
    assert CliRunner().invoke(app, ["mail", "show", "nothing"]).exit_code == 1
    assert deliver_due(known, datetime.now(UTC) + timedelta(days=91)) == 0
    assert rows(app_url) == []


async def test_a_mail_that_another_key_sealed_is_not_sent_as_something_else(
    app_url, app_pool, key_file, tmp_path, post
):
    await write(app_pool, key_file)
    assert deliver_due(settings(app_url, tmp_path / "another", smtp_url=post.url)) == 0
    (row,) = rows(app_url)
    assert "CATALOGUE_KEY" in row.last_error
    assert post.box.taken == []


@pytest.mark.parametrize("value", ["http://x", "smtp://", "mail.example.org", "smtp://me:p%C3%A9@mail.example.org"])
def test_a_bad_address_of_a_server_is_refused_at_the_start(value, monkeypatch):
    from device_gateway.settings import load_settings

    monkeypatch.setenv("DEVICE_GATEWAY_SMTP_URL", value)
    with pytest.raises(BadSetting, match="SMTP_URL"):
        load_settings()
