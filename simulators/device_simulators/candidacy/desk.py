"""The vendor's side: the page of interoperability tests, and simulated patients to be tested with."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from device_simulators.candidacy.browser import Browser, Unexpected, hidden, words

TESTS_PATH = re.compile(r"/catalogue/vendor/apps/(?P<app>[0-9a-f-]{36})/interoperability")
SANDBOX = re.compile(r'href="(/catalogue/vendor/organisations/[0-9a-f-]{36}/sandbox)"')
MADE = re.compile(r'<code id="(username|password)">([^<]*)</code>')
PATIENT = '<option value="([0-9a-f-]{{36}})">[^<]*\\({username}\\)'
ROW = re.compile(r'<tr data-scenario="([^"]+)"(?: data-outcome="([^"]+)")?>(.*?)</tr>', re.DOTALL)
PASSED = "passed"


class NoSuchPage(ValueError):
    """This is not the address of a page of interoperability tests."""


@dataclass(frozen=True)
class SimulatedPatient:
    """As the catalogue made it: the id of the space, and what to sign in with."""

    id: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Result:
    """What the page says of a scenario. `outcome` is a word of the catalogue's, None where there is none yet."""

    scenario: str
    name: str
    outcome: str | None
    steps: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return self.outcome == PASSED


class Desk:
    """The page of one app. `browser` is that of somebody who may write for its vendor, signed in."""

    def __init__(self, browser: Browser, tests_url: str) -> None:
        self._browser, self._url = browser, tests_url
        self.app_id = app_of(tests_url)
        page = browser.get(tests_url)
        sandbox = SANDBOX.search(page.text)
        if sandbox is None:
            raise Unexpected("this should be the page of the tests of an app that waits for a decision", page)
        self._sandbox = browser.base_url + sandbox[1]
        self._form = hidden(page, ["csrf_token"])

    def make_patient(self, name: str) -> SimulatedPatient:
        """Raises Unexpected, for instance where the vendor has as many as it may."""
        page = self._browser.post(self._sandbox, self._form | {"name": name})
        made = dict(MADE.findall(page.text))
        if made.keys() != {"username", "password"}:
            raise Unexpected("a simulated patient should have been made", page)
        tests = self._browser.get(self._url)
        known = re.search(PATIENT.format(username=re.escape(made["username"])), tests.text)
        if known is None:
            raise Unexpected("the new patient should be offered for tests", tests)
        return SimulatedPatient(known[1], made["username"], made["password"])

    def end_patient(self, patient: SimulatedPatient) -> None:
        """With everything that was tried with it; the results stay."""
        self._browser.post(f"{self._sandbox}/{patient.id}", self._form | {"action": "end"})

    def arm(self, scenario: str, patient: SimulatedPatient) -> None:
        """Raises Unexpected."""
        page = self._browser.post(self._url, self._form | {"scenario": scenario, "patient": patient.id})
        if not page.is_success:
            raise Unexpected(f"the scenario {scenario} should wait for the patient", page)

    def results(self) -> list[Result]:
        return [
            Result(
                scenario, words(_cell("th", row)), outcome or None,
                tuple(words(step) for step in re.findall(r"<li>(.*?)</li>", row, re.DOTALL)),
            )
            for scenario, outcome, row in ROW.findall(self._browser.get(self._url).text)
        ]  # fmt: skip


def app_of(tests_url: str) -> str:
    """The id of the app whose page of tests is at `tests_url`. Raises NoSuchPage."""
    found = TESTS_PATH.fullmatch(urlsplit(tests_url).path)
    if found is None:
        raise NoSuchPage("the address ends in /catalogue/vendor/apps/…/interoperability")
    return found["app"]


def _cell(tag: str, row: str) -> str:
    found = re.search(rf"<{tag}[^>]*>(.*?)</{tag}>", row, re.DOTALL)
    return found[1] if found else ""
