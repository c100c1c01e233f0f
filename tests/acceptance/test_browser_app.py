"""A browser app on npm's fhirclient, which we did not write: a public client in Chromium, with who signed in."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from npm_tarball import FHIRCLIENT, file_of
from playwright.sync_api import Page, Route
from third_parties import Json, decide, device_of, iso, weight

pytestmark = pytest.mark.timeout(180)  # seconds; the first test waits for the demo

PAGE = '<!doctype html><title>app</title><script src="/fhir-client.js"></script><script>{}</script>'
# A public client names itself when it refreshes: fhirclient does so where its option says it.
READY = """FHIR.oauth2.ready().then(
  client => { client.environment.options.refreshTokenWithClientId = true; window.client = client },
  error => { window.fault = `${error}` })"""
READ = """async code => {
  const bundle = await client.request(`Observation?code=${code}`);
  return {
    values: bundle.entry.map(entry => entry.resource.valueQuantity.value),
    patient: await client.patient.read(),
    user: await client.user.read(),
    state: client.state.tokenResponse,
    claims: client.getIdToken(),
  };
}"""


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return file_of(FHIRCLIENT, "build/fhir-client.min.js", tmp_path_factory.mktemp("npm"))


@pytest.fixture
def serves(script: bytes, agenda: Json) -> Callable[[Page, str], None]:
    """Puts pages of ours at the address that the sample app has registered, for one browser."""

    def serve(page: Page, authorize: str) -> None:
        html = {"/start": PAGE.format(authorize), "/callback": PAGE.format(READY)}

        def answer(route: Route) -> None:
            path = route.request.url.removeprefix(agenda["url"].rstrip("/")).split("?")[0]
            if path == "/fhir-client.js":
                route.fulfill(body=script, content_type="text/javascript")
            else:
                route.fulfill(body=html[path], content_type="text/html")

        # A page that the test answers for has no address, and Chromium asks before such a one may call on this machine.
        page.context.grant_permissions(["local-network-access"])

        def go_back(route: Route) -> None:
            """Playwright answers for no address that a redirect leads to: it becomes a page that goes there."""
            location = route.fetch(max_redirects=0).headers["location"]
            route.fulfill(body=f"<script>location.replace({json.dumps(location)})</script>", content_type="text/html")

        page.route("**/oauth/consent", go_back)
        page.route(f"{agenda['url'].rstrip('/')}/**", answer)

    return serve


def test_fhirclient_in_a_browser_reads_refreshes_and_learns_who_signed_in(
    *,
    demo: dict[str, Any],
    alice: Json,
    page: Page,
    scale: Json,
    agenda: Json,
    serves: Callable[[Page, str], None],
    disconnect: Callable[[str], None],
    demo_dir: Path,
) -> None:
    with device_of(demo, scale) as device:
        device.send(weight("71.35", iso(datetime.now(UTC) - timedelta(minutes=2))))
    asked = {
        "clientId": agenda["client_id"],
        "scope": f"openid fhirUser {agenda['scope']}",
        "iss": demo["fhir_url"],
        "redirectUri": agenda["redirect_uri"],
        "pkceMode": "required",
    }
    serves(page, f"FHIR.oauth2.authorize({json.dumps(asked)})")
    page.goto(f"{agenda['url'].rstrip('/')}/start")
    decide(page, alice, ("prepare-consultation",), redirect_uri=agenda["redirect_uri"])
    page.wait_for_function("window.client || window.fault")
    assert page.evaluate("window.fault") is None

    first = page.evaluate(READ, "29463-7")
    assert 71.35 in first["values"]
    assert (
        first["patient"]
        == first["user"]
        == {"resourceType": "Patient", "id": first["state"]["patient"], "active": True}
    )
    assert first["claims"]["sub"] == first["state"]["patient"]
    assert first["claims"]["aud"] == agenda["client_id"]
    assert alice["username"] not in json.dumps(first)

    page.evaluate("() => client.refresh()")
    second = page.evaluate(READ, "29463-7")
    assert second["state"]["access_token"] != first["state"]["access_token"]
    assert second["state"]["refresh_token"] != first["state"]["refresh_token"]
    assert second["values"] == first["values"]

    assert (demo_dir / "catalogue.key").stat().st_mode & 0o777 == 0o600
    disconnect(agenda["name"])
    page.evaluate("() => client.refresh().then(() => {}, error => { window.fault = `${error}` })")
    assert page.evaluate("window.fault")
