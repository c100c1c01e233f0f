"""A simulated patient, who opens the app from the portal, agrees to everything that it asks, and looks at its page."""

import re
from urllib.parse import urlsplit

import httpx2

from device_simulators.candidacy.browser import Browser, Unexpected, hidden

AUTHORIZE, CONSENT = "/oauth/authorize", "/oauth/consent"
PURPOSE = re.compile(r'name="purpose" value="([^"]+)"')


class PatientAtApp:
    """`page`: where the app shows what it reads; None: wherever it led the patient."""

    def __init__(self, browser: Browser, app_id: str, page: str | None = None) -> None:
        self._browser, self._page = browser, page
        self._launch = f"{browser.base_url}/catalogue/apps/{app_id}/launch"

    def open(self) -> None:
        """From the portal to the app, through the consent page, and back. Raises Unexpected where the app does not ask
        for access."""
        asked = self._browser.get(self._launch)
        if not asked.is_success or asked.url.path != AUTHORIZE:
            raise Unexpected("the app should ask for access when the portal opens it", asked)
        form: dict[str, str | list[str]] = dict(hidden(asked, ["request", "csrf_token"]))
        form |= {"purpose": PURPOSE.findall(asked.text), "decision": "approve"}
        shown = self._browser.post(self._browser.base_url + CONSENT, form)
        if self._page is None and not str(shown.url).startswith(f"{self._browser.base_url}/"):
            self._page = _root(shown)

    def look(self) -> httpx2.Response:
        """The app's page, whatever it says."""
        return self._browser.get(self._page or self._browser.base_url)


def _root(page: httpx2.Response) -> str:
    parts = urlsplit(str(page.url))
    return f"{parts.scheme}://{parts.netloc}/"
