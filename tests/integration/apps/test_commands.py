"""`device-gateway simulate app-…` as a process, and what the vendors of the sample apps submit."""

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app_catalog import Application, PurposeDraft, parse_scopes
from app_catalog.applications.application import check
from device_simulators.apps.app_descriptions import DESCRIPTIONS, AppDescription
from device_simulators.apps.language import preferred
from device_simulators.apps.words import WORDS
from device_simulators.cli import app
from device_simulators.demo.submission import complete

PROGRAM = str(Path(sys.executable).with_name("device-gateway"))


def command(port: int) -> list[str]:
    return [
        PROGRAM,
        "simulate",
        "app-agenda",
        "--base-url",
        "http://127.0.0.1:1",
        "--client-id",
        "x",
        "--port",
        str(port),
    ]


def test_an_app_runs_alone_says_when_it_answers_and_ends_on_sigterm() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(command(port), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == f"app ready http://127.0.0.1:{port}\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in {0, -signal.SIGTERM}


def test_a_port_in_use_is_said_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(command(taken.getsockname()[1]), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 69
    assert "--port" in done.stderr


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:1/catalogue/vendor", "interoperability"),
        ("http://127.0.0.1:1/catalogue/vendor/apps/00000000-0000-4000-8000-000000000000/interoperability", "refused"),
    ],
)
def test_a_candidate_that_cannot_be_walked_is_said_in_a_line(address: str, said: str) -> None:
    done = CliRunner().invoke(app, ["candidate", address, "--vendor", "x", "--password", "x"])
    assert done.exit_code == 69
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=lambda description: description.key)
def test_the_catalogue_accepts_what_the_vendor_submits(description: AppDescription) -> None:
    application = Application(
        name=description.name,
        description=description.description,
        profile=description.profile,
        redirect_uris=description.redirect_uris(9),
        launch_uri=description.launch_uri(9),
        purposes=tuple(
            PurposeDraft(p.key, p.name, p.wording, p.required, p.retention_days, p.read_scope, p.write_scope)
            for p in description.purposes
        ),
    )
    check(complete(application))
    asked = parse_scopes(description.scope)
    assert not asked.unknown
    assert asked.offline
    assert parse_scopes(description.scope_of_launch).resources == asked.resources
    purposes = {str(scope) for p in description.purposes for scope in parse_scopes(p.read_scope).resources}
    assert {str(scope) for scope in asked.resources} == purposes, "it asks for what its purposes say, and no more"


def test_every_text_is_there_in_both_languages() -> None:
    assert [key for key, texts in WORDS.items() if not (texts["fr"] and texts["en"])] == []


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("en", "en"),
        ("de, en;q=0.5", "en"),
        ("fr;q=0.1, en-US;q=0.9", "en"),
        ("fr-CA, en", "fr"),
        ("*", "fr"),
    ],
)
def test_the_language_is_the_one_that_the_browser_prefers(header: str, language: str) -> None:
    assert preferred(header) == language


@given(st.text())
def test_any_accept_language_header_gives_a_language(header: str) -> None:
    assert preferred(header) in {"fr", "en"}
