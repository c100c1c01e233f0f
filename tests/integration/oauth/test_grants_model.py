"""Grants in any order of events, beside a model of twenty lines per event: a token opens what the patient's consent of
this moment covers, never more (safety) and never less (liveness)."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from catalogue_host import Somebody, hidden, patient, purpose_for, query_of
from grants_world import CODES, SCOPES, Access, Code, Grant, Refresh, World, approve_version, opened_world
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from app_catalog import Status, change_status, grant_of_token, on_password_changed, revoke_pairing, withdraw_purpose
from app_catalog.consents.period import chosen_end
from app_catalog.consents.reapproval import TO_ANSWER
from app_catalog.oauth import lifetimes
from app_catalog.oauth.profiles import PROFILES

KEYS = st.sets(st.sampled_from(sorted(CODES)), min_size=1)
CHOICES = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True)
BRIEF = settings(CHOICES, max_examples=6, stateful_step_count=16, derandomize=True)
LONG = settings(CHOICES, max_examples=100, stateful_step_count=40)


class Grants(RuleBasedStateMachine):
    """One patient and one app. What the product should hold is kept in the simplest form there is."""

    world: World
    profile = "smart-public"

    def __init__(self) -> None:
        super().__init__()
        self.host, self.app = self.world.host, self.world.apps[self.profile]
        self.wording = self.world.wording[self.profile]
        self.person: Somebody = patient()
        self.agreed: dict[str, tuple[int, datetime]] = {}
        self.limit: datetime | None = None  # of a question about a new version
        self.serves = True
        self.codes: list[Code] = []
        self.tokens: list[Access] = []
        self.refreshes: list[Refresh] = []
        self.grants: list[Grant] = []

    def teardown(self) -> None:
        if not self.serves:
            self.resume()

    # ---- the model ----------------------------------------------------------------------------------------------
    @property
    def now(self) -> datetime:
        return self.host.now()

    @property
    def covered(self) -> frozenset[str]:
        """What the patient's consent covers now."""
        if self.limit is not None and self.limit <= self.now:
            return frozenset()
        return frozenset(
            key for key, (text, ends) in self.agreed.items() if ends > self.now and text == self.wording[key]
        )

    def ends(self, grant: Grant) -> datetime:
        return min([grant.ends, *([max(ends for _, ends in self.agreed.values())] if self.agreed else [])])

    def opens(self, token: Access) -> frozenset[str]:
        dead = token.revoked or token.grant.revoked or min(token.expires, self.ends(token.grant)) <= self.now
        return frozenset() if dead or not self.serves else token.scope & self.covered

    def forget(self) -> None:
        """The app is disconnected."""
        self.agreed, self.limit = {}, None
        for grant in self.grants:
            grant.revoked = True

    def keep(self, answer: dict[str, Any], grant: Grant) -> Refresh | None:
        """The tokens of an answer are issued now, for what is covered now."""
        until = min(self.now + lifetimes.ACCESS_TOKEN, self.ends(grant))
        self.tokens.append(Access(answer["access_token"], grant, self.covered, until))
        if "refresh_token" not in answer:
            return None
        until = min(self.now + PROFILES[self.profile].idle, self.ends(grant))
        self.refreshes.append(Refresh(answer["refresh_token"], grant, until))
        return self.refreshes[-1]

    # ---- what the patient does ----------------------------------------------------------------------------------
    @rule(keys=KEYS, days=st.sampled_from(["30", "91", "365"]))
    def consent(self, keys: set[str], days: str) -> None:
        response, verifier = self.world.run(self._answer(keys, days))
        if not self.serves:
            assert "error=unauthorized_client" in response.headers["location"]
            return
        self.agreed = {
            key: (self.wording[key], chosen_end(days, "", zone=self.person.zone, now=self.now)) for key in keys
        }
        self.limit = None
        self.grants.append(Grant(self.now + lifetimes.GRANT))
        code = query_of(response)["code"]
        self.codes.append(Code(code, verifier, self.grants[-1], self.now + lifetimes.CODE))

    async def _answer(self, keys: set[str], days: str) -> Any:
        parameters, verifier = self.app.authorization()
        async with self.host.browser(self.person) as browser:
            page = await browser.get("/oauth/authorize", params=parameters)
            if page.status_code == 303:
                return page, verifier
            form = {
                "request": hidden(page.text, "request"), "csrf_token": self.person.csrf_token,
                "purpose": sorted(keys), "ends": days, "decision": "approve",
            }  # fmt: skip
            response = await browser.post("/oauth/consent", data=form)
        assert response.status_code == 303, response.text
        return response, verifier

    @precondition(lambda self: self.agreed)
    @rule(key=st.sampled_from(sorted(CODES)))
    def withdraw(self, key: str) -> None:
        if key not in self.agreed:
            return
        last = self.world.run(self._as_patient(withdraw_purpose, key))
        del self.agreed[key]
        assert last == (not self.agreed)
        if last:
            self.forget()

    @precondition(lambda self: self.agreed)
    @rule()
    def disconnect(self) -> None:
        self.world.run(self._as_patient(revoke_pairing))
        self.forget()

    async def _as_patient(self, do: Any, *what: str) -> Any:
        async with self.host.pool.connection() as connection:
            return await do(
                connection, self.person.subject, self.app.app_id, *what, self.person, self.host.journal,
                self.host.data_plane, self.now,
            )  # fmt: skip

    @rule()
    def change_password(self) -> None:
        async def change() -> None:
            async with self.host.pool.connection() as connection:
                await on_password_changed(connection, self.person.id, self.host.journal, self.host.data_plane, self.now)

        self.world.run(change())
        for grant in self.grants:
            grant.revoked = True

    # ---- what the app does --------------------------------------------------------------------------------------
    @precondition(lambda self: self.codes)
    @rule(which=st.integers(0, 9))
    def redeem(self, which: int) -> None:
        code = self.codes[-1 - which % len(self.codes)]
        response = self.world.run(self.app.redeem(code.text, code.verifier))
        if self.serves and code.used:
            code.grant.revoked = True
        alive = self.serves and not code.used and not code.grant.revoked and self.now < code.expires
        assert response.status_code == (200 if alive and self.covered else 400), response.text
        if response.status_code == 200:
            code.used = True
            self.keep(response.json(), code.grant)

    @precondition(lambda self: self.refreshes)
    @rule(which=st.integers(0, 9), times=st.sampled_from([1, 1, 1, 2]))
    def refresh(self, which: int, times: int) -> None:
        token = self.refreshes[-1 - which % len(self.refreshes)]
        responses = self.world.run(self._refresh(token.text, times))
        if (
            not self.serves
            or token.grant.revoked
            or min(token.expires, self.ends(token.grant)) <= self.now
            or not self.covered
        ):
            expected = 400
        elif token.used is not None and self.now - token.used > lifetimes.ROTATION_GRACE:
            token.grant.revoked, expected = True, 400
        else:
            expected = 200
        assert {response.status_code for response in responses} == {expected}, [r.text for r in responses]
        if expected == 400:
            return
        answers = [response.json() for response in responses]
        if token.used is None and self.profile != "smart-public":
            for answer in answers:
                assert self.keep(answer, token.grant) is None
            token.expires = min(self.now + PROFILES[self.profile].idle, self.ends(token.grant))
            return
        if token.used is None:
            token.used, token.answer = self.now, answers[0]
            self.keep(answers[0], token.grant)
        assert {(answer["access_token"], answer["refresh_token"]) for answer in answers} == {
            (token.answer["access_token"], token.answer["refresh_token"])
        }

    async def _refresh(self, text: str, times: int) -> Any:
        return await asyncio.gather(*(self.app.refresh(text) for _ in range(times)))

    @precondition(lambda self: self.tokens)
    @rule(which=st.integers(0, 9))
    def give_back_access(self, which: int) -> None:
        token = self.tokens[-1 - which % len(self.tokens)]
        self._give_back(token.text)
        token.revoked = True

    @precondition(lambda self: self.refreshes)
    @rule(which=st.integers(0, 9))
    def give_back_everything(self, which: int) -> None:
        token = self.refreshes[-1 - which % len(self.refreshes)]
        self._give_back(token.text)
        token.grant.revoked = True

    def _give_back(self, text: str) -> None:
        form = {"token": text, "client_id": None if self.app.secret else self.app.client_id}
        assert self.world.run(self.app.post("/oauth/revoke", form)).status_code == 200

    # ---- what others do -----------------------------------------------------------------------------------------
    @precondition(lambda self: self.serves)
    @rule()
    def suspend(self) -> None:
        self._move(Status.SUSPENDED)
        self.serves = False

    @precondition(lambda self: not self.serves)
    @rule()
    def resume(self) -> None:
        self._move(Status.ONLINE)
        self.serves = True

    def _move(self, status: Status) -> None:
        async def move() -> None:
            async with self.host.pool.connection() as connection:
                await change_status(
                    connection, self.app.app_id, status, person=Somebody("reviewer"), journal=self.host.journal,
                    now=self.now, reason="A check.",
                )  # fmt: skip

        self.world.run(move())

    @precondition(lambda self: self.serves and self.agreed)
    @rule(rewritten=st.booleans())
    def new_version(self, rewritten: bool) -> None:
        texts = self.wording | ({"glucose": self.wording["glucose"] + 1} if rewritten else {})
        self.host.offset += timedelta(seconds=1)  # no two decisions come at one moment
        self.world.run(approve_version(self.world, self.profile, texts))
        self.wording.update(texts)
        if any(ends > self.now for _, ends in self.agreed.values()):
            self.limit = min(filter(None, [self.limit, self.now + TO_ANSWER]))

    @rule(
        passed=st.sampled_from(
            [timedelta(seconds=50), timedelta(seconds=70), timedelta(minutes=11), timedelta(days=29),
             timedelta(days=31), timedelta(days=200)]
        )
    )  # fmt: skip
    def time_passes(self, passed: timedelta) -> None:
        self.host.offset += passed

    # ---- what has to hold ---------------------------------------------------------------------------------------
    @invariant()
    def every_token_opens_what_is_covered(self) -> None:
        for token, opened in zip(self.tokens, self.world.run(self._opened()), strict=True):
            assert opened == self.opens(token)

    async def _opened(self) -> list[frozenset[str]]:
        found = []
        async with self.host.pool.connection() as connection:
            for token in self.tokens:
                grant = await grant_of_token(connection, token.text, self.now)
                assert grant is not None
                found.append(
                    frozenset(
                        key for key, code in CODES.items()
                        if purpose_for(grant, "r", code) is not None
                    )
                )  # fmt: skip
        return found

    @precondition(lambda self: self.tokens)
    @rule(which=st.integers(0, 9))
    def introspect(self, which: int) -> None:
        token = self.tokens[-1 - which % len(self.tokens)]
        if self.app.secret is None:
            return
        told = self.world.run(self.app.post("/oauth/introspect", {"token": token.text})).json()
        opened = self.opens(token)
        assert told["active"] or not opened
        if told["active"]:
            assert {key for key, scope in SCOPES.items() if scope in told["scope"].split()} == opened


class OfASecretClient(Grants):
    profile = "smart-secret"


@pytest.fixture
def world(app_url: str) -> Iterator[World]:
    with asyncio.Runner() as loop, opened_world(app_url, loop) as world:
        yield world


class Told(Grants):
    """The same, told what happens: what has to hold is looked at after each event."""

    def tell(self, *events: tuple[Any, ...]) -> None:
        for event, *arguments in events:
            event(self, *arguments)
            self.every_token_opens_what_is_covered()

    def come_to(self, at: datetime) -> None:
        """To shortly before `at`, by refreshes, so that it comes while an access token lives."""
        for part in (2, 1):
            self.tell((Told.time_passes, (at - self.now) / part - timedelta(minutes=4)), (Told.refresh, 0, 1))
        assert any(self.opens(token) for token in self.tokens)
        self.tell((Told.time_passes, timedelta(minutes=8)), (Told.refresh, 0, 1))


BOTH = {"weight", "glucose"}


def test_each_event_closes_what_it_has_to_while_the_tokens_are_alive(world):
    Told.world = world
    for ends_all in (Told.disconnect, Told.change_password):
        one = Told()
        one.tell((Told.consent, BOTH, "91"), (Told.redeem, 0), (Told.suspend,), (Told.resume,), (ends_all,))
        one.tell((Told.refresh, 0, 1), (Told.consent, BOTH, "91"), (Told.redeem, 0))

    one = Told()  # codes and refresh tokens that are used again
    one.tell((Told.consent, BOTH, "91"), (Told.redeem, 0), (Told.refresh, 0, 2), (Told.refresh, 1, 1))
    one.tell((Told.withdraw, "glucose"), (Told.give_back_access, 1), (Told.time_passes, timedelta(seconds=70)))
    one.tell((Told.refresh, 1, 1), (Told.refresh, 0, 1))
    one.tell((Told.consent, BOTH, "91"), (Told.redeem, 0), (Told.redeem, 0))
    one.tell((Told.consent, BOTH, "91"), (Told.redeem, 0), (Told.give_back_everything, 0))

    one = Told()  # other words, no answer until the limit, then one; and the day that was chosen
    one.tell((Told.consent, BOTH, "91"), (Told.redeem, 0), (Told.new_version, True), (Told.refresh, 0, 1))
    assert one.limit is not None
    one.come_to(one.limit)
    one.tell((Told.consent, BOTH, "30"), (Told.redeem, 0))
    one.come_to(one.ends(one.grants[-1]))


def test_no_order_of_events_leaves_a_token_that_the_consent_does_not_cover(world):
    for machine in (Grants, OfASecretClient):
        machine.world = world
        run_state_machine_as_test(machine, settings=BRIEF)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_long_order_of_events_does_either(world):
    for machine in (Grants, OfASecretClient):
        machine.world = world
        run_state_machine_as_test(machine, settings=LONG)
