"""The scenarios, each with what people do in it."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from device_simulators.candidacy.browser import Browser
from device_simulators.candidacy.desk import Desk, Result, SimulatedPatient, app_of
from device_simulators.candidacy.patient import PatientAtApp

LOOKS: Final = 6  # at the page of the app until a scenario has ended: most end with the first
QUIET_S: Final = 2.5  # after a refusal; who comes back sooner is taken for a program that asks by itself
REFUSED: Final = "denied"
OTHERS: Final[dict[str, int]] = {  # how often the app is opened: after a wrong answer a second time
    "happy-path": 1,
    "expired": 1,
    "wrong-state": 2,
    "wrong-issuer": 2,
    "unavailable": 1,
    "revoked": 1,
}


@dataclass(frozen=True)
class Candidate:
    """An app that waits for a decision: the page of its interoperability tests, and that where it shows what it reads.

    Without the latter it is the root of the site that the app leads back to. Raises NoSuchPage.
    """

    tests_url: str
    page: str | None = None

    def __post_init__(self) -> None:
        app_of(self.tests_url)


def walk(
    base_url: str,
    vendor: tuple[str, str],
    candidates: Sequence[Candidate],
    tell: Callable[[str], None] = lambda _scenario: None,
) -> list[list[Result]]:
    """Take `candidates`, all of one vendor, through every scenario; returns what the catalogue says then of each.

    `vendor` is the user name and the password of somebody who may write for it. Two simulated patients are made, and
    ended. `tell` gets each scenario as it begins. Raises Unexpected, or httpx2.HTTPError where nobody answers.
    """
    with ExitStack() as stack:
        office = stack.enter_context(Browser(base_url))
        office.sign_in(*vendor)
        desks = [Desk(office, candidate.tests_url) for candidate in candidates]
        refusing, other = (_patient(stack, desks[0], base_url, name) for name in ("Ada", "Ben"))
        cases = [
            _Case(desk, refusing[0], PatientAtApp(refusing[1], desk.app_id, candidate.page),
                  other[0], PatientAtApp(other[1], desk.app_id, candidate.page), tell)
            for desk, candidate in zip(desks, candidates, strict=True)
        ]  # fmt: skip
        for case in cases:
            case.refuse()
        refused_at = time.monotonic()
        for case in cases:
            case.pass_others()
        time.sleep(max(0.0, refused_at + QUIET_S - time.monotonic()))
        for case in cases:
            case.come_back()
        return [desk.results() for desk in desks]


def _patient(stack: ExitStack, desk: Desk, base_url: str, name: str) -> tuple[SimulatedPatient, Browser]:
    patient = desk.make_patient(name)
    stack.callback(desk.end_patient, patient)
    browser = stack.enter_context(Browser(base_url))
    browser.sign_in(patient.username, patient.password)
    return patient, browser


@dataclass(frozen=True)
class _Case:
    """One app. The patient who refuses comes back after all the others."""

    desk: Desk
    refusing: SimulatedPatient
    refusing_at_app: PatientAtApp
    other: SimulatedPatient
    other_at_app: PatientAtApp
    tell: Callable[[str], None]

    def refuse(self) -> None:
        self.tell(REFUSED)
        self.desk.arm(REFUSED, self.refusing)
        self.refusing_at_app.open()

    def come_back(self) -> None:
        self.refusing_at_app.open()

    def pass_others(self) -> None:
        for scenario, times in OTHERS.items():
            self.tell(scenario)
            self.desk.arm(scenario, self.other)
            for _ in range(times):
                self.other_at_app.open()
            self._look(scenario)
            if scenario == "revoked":
                self.other_at_app.open()

    def _look(self, scenario: str) -> None:
        """Until the catalogue has seen enough, or the app does nothing more."""
        for _ in range(LOOKS):
            if any(result.scenario == scenario and result.outcome for result in self.desk.results()):
                return
            self.other_at_app.look()
