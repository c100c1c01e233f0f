"""The pages "is this you?" and "who uses it?": forms as a browser sends them, and forms that were tampered with."""

import re
from collections.abc import AsyncIterator
from functools import cached_property
from uuid import UUID, uuid4

import pytest
from fhir_world import World as FhirWorld
from fhir_world import matches
from httpx2 import AsyncClient, Response
from ingest_world import World, message, weight
from portal_world import Patient, Product, field, text_of

from device_gateway.database.embedded import EmbeddedPostgres


class Household:
    """Camille holds a scale since 2026 that tells its users apart. Noor has a space of her own."""

    def __init__(self, product: Product, world: World) -> None:
        self.product, self.world = product, world
        self.camille = product.patient(username=f"camille-{uuid4().hex[:8]}")
        self.scale = world.device(self.camille.space.id, since="2026-01-01T00:00:00Z")

    @cached_property
    def noor(self) -> Patient:
        return self.product.patient(username=f"noor-{uuid4().hex[:8]}")

    def measure(self, *readings: dict[str, object]) -> None:
        self.world.writer().commit([message(self.scale, *readings)])

    def weights(self, patient: Patient) -> list[float]:
        return [row.value for row in self.world.readings(patient.space.id)]

    @property
    def waiting(self) -> list[float]:
        return [row.value for row in self.world.inbox(self.scale)]

    async def browser(self, patient: Patient) -> AsyncClient:
        return await self.product.signed_in(patient.username)

    async def answer(self, browser: AsyncClient, key: str, **form: str) -> Response:
        return await posted(browser, f"/devices/inbox/{self.scale}/{key}", **form)

    async def people(self, browser: AsyncClient, **form: str) -> Response:
        return await posted(browser, f"/devices/{self.scale}/people", **form)


@pytest.fixture
async def product(postgres: EmbeddedPostgres, world: World) -> AsyncIterator[Product]:
    async with Product(world.owner_url, postgres.url("gateway_app", world.database)) as running:
        yield running


@pytest.fixture
def house(product: Product, world: World) -> Household:
    return Household(product, world)


async def posted(browser: AsyncClient, path: str, **form: str) -> Response:
    """As from a page of ours: with the token of the session, which is looked up once."""
    token = browser.headers.get("x-token") or field((await browser.get("/devices/inbox")).text, "csrf_token")
    browser.headers["x-token"] = token
    return await browser.post(path, data={"csrf_token": token, **form})


def by_user(value: str, day: int, user: int | None) -> dict[str, object]:
    context = {"user-unknown": True} if user is None else {"user-index": user}
    return weight(value, f"2026-01-{day:02}T07:00:00+01:00", context=context)


async def test_the_page_asks_by_device_and_user_and_a_tick_answers_for_one_moment(house: Household) -> None:
    house.measure(by_user("80.50", 3, None), by_user("61.20", 4, None), by_user("80.70", 5, 1))
    browser = await house.browser(house.camille)
    page = await browser.get("/devices/inbox")
    text = text_of(page.text)
    for expected in (
        "thing · user 1 Measured 1 time, on 5 January 2026",
        "Measured 2 times, from 3 January 2026 to 4 January 2026",
        "The device did not recognise who this was",
        "4 January 2026 at 07:00 Body weight 61.20 kg",
        "(3)",
    ):
        assert expected in text or expected in text_of((await browser.get("/devices")).text), expected
    [_, mine] = re.findall(r'name="(pick\.[0-9.]+)"', page.text)
    assert (await house.answer(browser, "own-255", decision="accept")).status_code == 422
    answer = await house.answer(browser, "own-255", decision="accept", **{mine: "on"})
    assert answer.headers["location"] == "/devices/inbox?done=accept&number=1"
    assert "1 measurement is in your space now" in text_of((await browser.get(answer.headers["location"])).text)
    assert house.weights(house.camille) == [80.5]
    assert house.waiting == [61.2, 80.7]
    assert "You said that 1 measurement of “thing” is yours." in text_of((await browser.get("/journal")).text)
    [seen] = [row for row in house.camille.space.journal() if row.event == "portal:reading:read"]
    assert seen.quantity == 3


async def test_an_answer_for_later_too_names_the_user_for_good(house: Household) -> None:
    house.measure(by_user("80", 3, 1))
    browser = await house.browser(house.camille)
    await house.answer(browser, "own-1", decision="accept", all="on", later="on")
    house.measure(by_user("81", 4, 1))
    assert house.weights(house.camille) == [80, 81]
    assert "Nothing waits for an answer" in text_of((await browser.get("/devices/inbox")).text)
    assert "User 1 · you" in text_of((await browser.get(f"/devices/{house.scale}/people")).text)


async def test_not_me_is_asked_once_more_and_then_final(house: Household) -> None:
    house.measure(by_user("61", 3, 2), by_user("62", 4, 2))
    browser = await house.browser(house.camille)
    asked = await house.answer(browser, "own-2", decision="discard", all="on")
    assert asked.status_code == 200
    assert "Delete what is not you? thing · measured 2 times" in text_of(asked.text)
    assert house.waiting == [61, 62]
    answer = {"decision": "discard", "all": "on", "confirmed": "yes"}
    for number in (2, 0):
        done = await house.answer(browser, "own-2", **answer)
        assert done.headers["location"] == f"/devices/inbox?done=discard&number={number}"
    assert house.waiting == []
    assert "are not yours: they were deleted" in text_of((await browser.get("/journal")).text)
    house.measure(by_user("61", 3, 2))
    assert house.waiting == []


async def test_what_was_measured_before_is_offered_by_number_and_period_and_taken_after_a_second_question(
    house: Household,
) -> None:
    house.measure(weight("97.31", "2025-06-01T07:00:00Z"), weight("97.32", "2025-06-09T07:00:00Z"))
    browser = await house.browser(house.camille)
    page = await browser.get("/devices/inbox")
    assert "before it was yours Measured 2 times, from 1 June 2025 to 9 June 2025" in text_of(page.text)
    assert "97.3" not in page.text
    asked = await house.answer(browser, "before-none", decision="accept", all="on")
    assert "Take what thing measured before it was yours?" in text_of(asked.text)
    assert "97.3" not in asked.text
    assert house.weights(house.camille) == []
    await house.answer(browser, "before-none", decision="accept", all="on", confirmed="yes")
    assert house.weights(house.camille) == [97.31, 97.32]
    assert "Mine since 1 June 2025" in text_of((await browser.get("/devices")).text)


async def test_a_code_gives_a_user_to_another_person_whose_apps_then_see_the_device(
    house: Household, product: Product
) -> None:
    house.measure(by_user("60.40", 3, 2))
    holder, noor = await house.browser(house.camille), await house.browser(house.noor)
    made = await house.people(holder, decision="invite", user="2", called="Noor")
    assert made.status_code == 201
    [code] = re.findall(r"([0-9A-Z]{4}-[0-9A-Z]{4})</p>", made.text)
    wrong = await posted(noor, "/devices/join", code="0000-0000", name="Balance")
    assert (wrong.status_code, "This code is unknown" in wrong.text) == (422, True)
    assert (await posted(noor, "/devices/join", code=code, name=" ")).status_code == 422
    joined = await posted(noor, "/devices/join", code=code, name="Balance")
    assert joined.headers["location"] == "/devices?done=joined&number=1"
    text = text_of((await noor.get("/devices")).text)
    assert "Devices of others that know me Balance Smart scale · user 2" in text
    assert "60.40 kg" in text_of((await noor.get("/")).text)
    assert "Balance" in text_of((await noor.get("/")).text)
    assert "60.40" not in (await holder.get("/devices/inbox")).text
    assert "User 2 · Noor" in text_of((await holder.get(f"/devices/{house.scale}/people")).text)
    assert "user 2 of “thing” is Noor now" in text_of((await holder.get("/journal")).text)
    assert "You are user 2 of “Balance” now" in text_of((await noor.get("/journal")).text)

    apps = FhirWorld(product.app.state.pool, product.owner_url)
    app = await apps.session("everything", space=house.noor.space)
    observations = matches(await app.search("Observation"))
    [device] = matches(await app.search("Device"))
    assert [one["device"]["reference"] for one in observations] == [f"Device/{device['id']}"]
    assert device["status"] == "active"

    left = await posted(noor, f"/devices/{house.scale}/leave", user="2")
    assert left.headers["location"] == "/devices?done=left"
    assert "Devices of others" not in (await noor.get("/devices")).text
    [device] = matches(await app.search("Device"))
    assert device["status"] == "inactive"
    await apps.client.aclose()


async def test_the_holder_names_users_and_ends_them(house: Household) -> None:
    house.measure(by_user("80", 3, 1))
    browser = await house.browser(house.camille)
    assert (await house.people(browser, decision="me", user="1")).headers["location"].endswith("/people?done=me")
    assert "You are user 1 of the device" in text_of((await browser.get("/devices/inbox")).text)
    taken = await house.people(browser, decision="invite", user="1", called="Noor")
    assert (taken.status_code, "This user is somebody already" in taken.text) == (422, True)
    for user in ("", "255", "-1", "x", "²"):
        assert (await house.people(browser, decision="me", user=user)).status_code == 422
    assert (await house.people(browser, decision="invite", user="2", called="")).status_code == 422
    assert (await house.people(browser, decision="end", user="1")).headers["location"].endswith("/people?done=end")
    text = text_of((await browser.get(f"/devices/{house.scale}/people?done=end")).text)
    assert "This user is nobody now" in text
    assert "User 1 Nobody yet 1 measurement waits for an answer" in text


async def test_a_form_that_was_tampered_with_finds_nothing(house: Household) -> None:
    house.measure(by_user("80", 3, 1), weight("97", "2025-06-01T07:00:00Z"))
    own, strange = await house.browser(house.camille), await house.browser(house.noor)
    everything = {"decision": "accept", "all": "on", "confirmed": "yes"}
    for key in ("own-1", "before-none", "own-none"):
        for decision in ("accept", "discard"):
            answer = await house.answer(strange, key, **everything | {"decision": decision})
            assert answer.status_code == 404, (key, decision)
    for user in ("1", "2"):
        assert (await house.people(strange, decision="me", user=user)).status_code == 404
        assert (await house.people(strange, decision="end", user=user)).status_code == 404
        assert (await house.people(strange, decision="invite", user=user, called="X")).status_code == 404
        assert (await posted(strange, f"/devices/{house.scale}/leave", user=user)).status_code == 303
    assert (await strange.get(f"/devices/{house.scale}/people")).status_code == 404
    for key, form in (
        ("own-999", everything),
        ("mine-1", everything),
        ("other-1", everything),
        ("own-none", everything | {"later": "on"}),
        ("before-none", {"decision": "accept", "confirmed": "yes", "pick.1.0": "on"}),
        ("own-1", {"decision": "accept", "pick.x": "on"}),
        ("own-1", everything | {"decision": "steal"}),
        ("own-7", {"decision": "discard", "all": "on"}),
    ):
        assert (await house.answer(own, key, **form)).status_code == 404, (key, form)
    other = house.world.device(house.noor.space.id)
    assert (await posted(own, f"/devices/inbox/{other}/own-1", **everything)).status_code == 404
    assert (await posted(own, f"/devices/inbox/{UUID(int=0)}/own-1", **everything)).status_code == 404
    assert house.waiting == [97, 80]
    assert house.weights(house.noor) == []


async def test_every_form_needs_the_token_of_the_session_and_guesses_at_codes_are_counted(house: Household) -> None:
    house.measure(by_user("80", 3, 1))
    browser = await house.browser(house.camille)
    for path in (f"inbox/{house.scale}/own-1", f"{house.scale}/people", f"{house.scale}/leave", "join"):
        answer = await browser.post(f"/devices/{path}", data={"decision": "accept", "all": "on", "user": "1"})
        assert answer.status_code == 403, path
    assert house.waiting == [80]
    told = []
    for _ in range(2):
        told.append((await posted(browser, "/devices/join", code="0000-0000", name="B")).status_code)
        house.world.rows("UPDATE gateway.claim_attempt SET attempts = 20")
    house.world.rows("DELETE FROM gateway.claim_attempt")
    assert told == [422, 429]
