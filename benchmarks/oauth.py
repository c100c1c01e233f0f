"""The authorization server against bare Starlette routes that do the least the same answer needs in PostgreSQL.

Both run under uvicorn, one process each, and are asked by wrk over loopback; rounds alternate, and the median ratio of
neighbouring rounds is reported. A refresh keeps the token of a client with a secret: UPDATE, INSERT, COMMIT.
Where npm is there, its `oidc-provider` is asked in the same rounds: one process, and nothing leaves its memory.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from app_catalog import grant_of_token
from benchmarks.figure import Figure
from benchmarks.oidc_provider import oidc_provider
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.migrate import migrate
from device_gateway.database.pool import connect, open_pool

GRANTS = 64  # patients of the app: no two connections of wrk wait for one row
CONNECTIONS = 16
ROUNDS = 5
ROUND_S = 3
CHECKS = 2000
TOKEN_CHECK_MS = 0.3
PORTS = {"ours": 18_771, "bare": 18_772, "oidc-provider": 18_773}
READY_S = 60

# One vendor, one app with a secret, one purpose; a space, a consent and two tokens for each patient.
WORLD = """
INSERT INTO catalogue.vendor (id, name, contact, created_at)
  VALUES ('00000000-0000-4000-8000-000000000001', 'Bench', 'bench@example.org', now());
INSERT INTO catalogue.app (id, vendor_id, client_id, status, secret_hash, created_at) VALUES
  ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 'bench', 'ONLINE',
   sha256('secret'), now());
INSERT INTO catalogue.application (id, app_id, state, name, description_fr, description_en, profile, redirect_uris,
    origins, submitted_by, submitted_at, version, created_at, saved_at, draft) VALUES
  ('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000002', 'draft', 'Bench', 'B', 'B',
   'smart-secret', '{https://bench.example/cb}', '{}', gen_random_uuid(), now(), 1, now(), now(), '{}');
UPDATE catalogue.app SET application_id = '00000000-0000-4000-8000-000000000003';
INSERT INTO catalogue.purpose (id, same_as, application_id, position, key, name_fr, name_en, wording_fr, wording_en,
    required, retention_days, read_scope, write_scope) VALUES ('00000000-0000-4000-8000-000000000004',
  '00000000-0000-4000-8000-000000000004', '00000000-0000-4000-8000-000000000003', 0, 'weight', 'Poids', 'Weight', 'P',
  'W', false, 30, 'patient/Observation.rs?code=http://loinc.org|29463-7', '');
UPDATE catalogue.application SET state = 'approved', draft = NULL;
DO $$ DECLARE space uuid; pairing uuid; given uuid; person uuid := gen_random_uuid(); n int; BEGIN
  FOR n IN 0..63 LOOP
    INSERT INTO gateway.space DEFAULT VALUES RETURNING id INTO space;
    pairing := gen_random_uuid(); given := gen_random_uuid();
    INSERT INTO catalogue.pairing VALUES (pairing, '00000000-0000-4000-8000-000000000002', space, now(), now());
    INSERT INTO catalogue.consent (id, pairing_id, subject, purpose_id, purpose_key, shown, given_by, given_at,
        ends_at) VALUES (gen_random_uuid(), pairing, space, '00000000-0000-4000-8000-000000000004', 'weight', '{}',
      person, now(), now() + interval '300 days');
    INSERT INTO catalogue.access_grant (id, pairing_id, subject, person, scope, created_at, expires_at) VALUES (given,
      pairing, space, person, 'launch/patient offline_access patient/Observation.rs?code=http://loinc.org|29463-7',
      now(), now() + interval '300 days');
    INSERT INTO catalogue.token (hash, kind, grant_id, subject, scope, issued_at, expires_at)
      SELECT sha256(convert_to(kind || n, 'UTF8')), kind, given, space, g.scope, now(), now() + interval '1 day'
      FROM catalogue.access_grant g, (VALUES ('access'), ('refresh')) k (kind) WHERE g.id = given;
  END LOOP;
END $$;
CREATE TABLE catalogue.bare (LIKE catalogue.token INCLUDING ALL);
INSERT INTO catalogue.bare SELECT * FROM catalogue.token;
GRANT SELECT, INSERT, UPDATE ON catalogue.bare TO gateway_app;
"""
SCRIPT = """
local n = 0
local tokens = {{ {tokens} }}
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
wrk.headers["Authorization"] = "Basic YmVuY2g6c2VjcmV0"
request = function() n = n + 1; wrk.body = "{body}" .. tokens[n % #tokens + 1]; return wrk.format() end
"""


@dataclass(frozen=True)
class Question:
    """`kind` of tokens that are sent after `body` to `path`, which is `elsewhere` at oidc-provider."""

    kind: str
    body: str
    path: str
    elsewhere: str


REFRESH = Question("refresh", "grant_type=refresh_token&refresh_token=", "/oauth/token", "/token")
INTROSPECT = Question("access", "token=", "/oauth/introspect", "/token/introspection")


def run() -> list[Figure]:
    if shutil.which("wrk") is None:
        raise RuntimeError("this benchmark needs wrk")
    with TemporaryDirectory(prefix="dg-bench-") as directory, ExitStack() as stack:
        server = EmbeddedPostgres(Path(directory))
        server.start()
        stack.callback(server.stop)
        migrate(server.url("gateway_owner"))
        with connect(server.url("gateway_owner"), "gateway_owner") as owner:
            owner.execute(WORLD)  # type: ignore[arg-type]  # our own text
        url = server.url("gateway_app")
        of_ours = {kind: [f"{kind}{number}" for number in range(GRANTS)] for kind in ("access", "refresh")}
        tokens = {"ours": of_ours, "bare": of_ours}
        for kind in tokens:
            stack.enter_context(_serving(kind, PORTS[kind], url, directory))
        if shutil.which("npm") is not None:
            tokens["oidc-provider"] = stack.enter_context(oidc_provider(PORTS["oidc-provider"]))
        refresh = _rounds(REFRESH, tokens, Path(directory))
        introspect = _rounds(INTROSPECT, tokens, Path(directory))
        milliseconds = uvloop.run(_token_check_ms(url))
    return [
        _figure("token-refresh-vs-writes", refresh, "bare", "a refresh; limit: a bare UPDATE, INSERT, COMMIT"),
        _figure("introspect-vs-select", introspect, "bare", "an introspection; limit: one bare SELECT"),
        *(
            _figure(f"{name}-vs-oidc-provider", rounds, "oidc-provider", "limit: npm's oidc-provider, in its memory")
            for name, rounds in (("token-refresh", refresh), ("introspect", introspect))
            if "oidc-provider" in tokens
        ),
        Figure(
            "token-check-ms", round(milliseconds, 3), TOKEN_CHECK_MS, round(milliseconds / TOKEN_CHECK_MS, 2), "ms",
            "CPU of a token check inside a request for data; limit: the aim",
        ),
    ]  # fmt: skip


async def _token_check_ms(url: str) -> float:
    async with open_pool(url, "gateway_app", size=2) as pool, pool.connection() as connection:
        for number in range(CHECKS + 100):
            if number == 100:  # from here on everything is prepared
                begun = time.process_time()
            found = await grant_of_token(connection, f"access{number % GRANTS}", datetime.now(UTC))
            if found is None or found.refusal is not None:
                raise RuntimeError("the token does not work")
        return (time.process_time() - begun) / CHECKS * 1000


def _rounds(
    question: Question, tokens: Mapping[str, Mapping[str, list[str]]], directory: Path
) -> list[dict[str, float]]:
    """Requests a second of each server, round by round."""
    scripts = {}
    for kind, known in tokens.items():
        script = directory / f"{kind}.lua"
        listed = ", ".join(f'"{token}"' for token in known[question.kind])
        script.write_text(SCRIPT.format(body=question.body, tokens=listed))
        path = question.elsewhere if kind == "oidc-provider" else question.path
        scripts[f"http://127.0.0.1:{PORTS[kind]}{path}"] = (kind, script)
    for url, (_, script) in scripts.items():
        _rate(url, script, 1)
    return [{kind: _rate(url, script, ROUND_S) for url, (kind, script) in scripts.items()} for _ in range(ROUNDS)]


def _rate(url: str, script: Path, seconds: int) -> float:
    """Requests a second. Raises RuntimeError when one of them was not answered with 2xx."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script), url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Requests/sec:\s+([0-9.]+)", told)
    if found is None or "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(told)
    return float(found[1])


def _figure(name: str, rounds: list[dict[str, float]], beside: str, how: str) -> Figure:
    ours, limit = (statistics.median(rates[kind] for rates in rounds) for kind in ("ours", beside))
    ratio = statistics.median(rates["ours"] / rates[beside] for rates in rounds)
    return Figure(name, round(ours, 1), round(limit, 1), round(ratio, 2), "requests/s", how)


@contextmanager
def _serving(kind: str, port: int, url: str, directory: str) -> Iterator[None]:
    own = {
        "DEVICE_GATEWAY_DATABASE_URL": url, "DEVICE_GATEWAY_DATA_DIR": directory,
        "DEVICE_GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{port}", "DEVICE_GATEWAY_CLIENT_RATE": "0",
        "BENCH_PORT": str(port),
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.oauth_server", kind], env={**os.environ, **own}
    ) as process:
        try:
            _await(f"http://127.0.0.1:{port}/healthz", process)
            yield
        finally:
            process.terminate()


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310  # loopback
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not become ready")
