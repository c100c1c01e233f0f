"""A new version of a connected app: what goes on, what stops, and what the patient is asked."""

from datetime import timedelta
from uuid import uuid4

import pytest
from catalogue_host import GLUCOSE_SCOPE, WEIGHT_SCOPE, ListedPatients, Somebody, application, hidden, patient, purpose

from app_catalog import (
    Unanswerable,
    WordsChanged,
    answer_question,
    app_by_id,
    change_status,
    changes,
    compared,
    connected_apps,
    consents_given,
    grant_of_token,
    on_majority,
    open_question,
    tell_questions,
)
from app_catalog.catalogue.status import Status
from app_catalog.space import space
from device_simulators.demo.submission import submit

WEIGHT = purpose("weight", required=True, read_scope=WEIGHT_SCOPE)
GLUCOSE = purpose("glucose", read_scope=GLUCOSE_SCOPE)
OTHER_GLUCOSE = purpose("glucose", read_scope=GLUCOSE_SCOPE, wording={"fr": "Pour autre chose.", "en": "To show more."})
BOTH = "weight glucose"
CHANGES = {"fr": "Plus de choses.", "en": "More things."}


def named(name):
    return Somebody("patient", subject=uuid4(), display_name=name)


async def new_version(host, app, *purposes):
    """The vendor applies with another description, and two reviewers approve it."""
    async with host.pool.connection() as connection:
        found = await app_by_id(connection, app.app_id)
        submitted = await submit(
            connection, application(purposes=purposes, changes=CHANGES), vendor_id=found.vendor_id, person=app.vendor,
            journal=host.journal, now=host.now(), app_id=app.app_id,
        )  # fmt: skip
        await host.approve(connection, submitted.application_id, app.vendor)


async def opened(host, token):
    """Keys of the purposes that an access token opens at this moment, or why it opens none."""
    async with host.pool.connection() as connection:
        grant = await grant_of_token(connection, token, host.now())
    return grant.refusal or " ".join(purpose.key for purpose in grant.consented)


async def answer(host, app, person, *keys, read=None, **options):
    """Agree to `keys` as they are in force, or as the patient has `read` them."""
    async with host.pool.connection() as connection:
        found = await app_by_id(connection, app.app_id)
        words = {one.key: one.same_as for one in (read or found).purposes if one.key in keys}
        await answer_question(
            connection, person.subject, app.app_id, words, person=person, journal=host.journal,
            data_plane=host.data_plane, now=host.now(), **options,
        )  # fmt: skip


async def test_unchanged_purposes_go_on_changed_and_new_ones_open_nothing_until_the_patient_answers(host):
    app, ana = await host.approved(purposes=(WEIGHT, GLUCOSE)), patient()
    token = (await app.tokens(ana))["access_token"]
    assert await opened(host, token) == BOTH
    async with host.pool.connection() as connection:
        former = await app_by_id(connection, app.app_id)
    async with host.browser(ana) as browser:
        page = (await browser.get("/oauth/authorize", params=app.authorization()[0])).text
        await new_version(
            host, app, WEIGHT, OTHER_GLUCOSE, purpose("pressure", read_scope="patient/Observation.rs?code=x")
        )
        form = {"request": hidden(page, "request"), "csrf_token": ana.csrf_token, "purpose": "glucose"}
        for decision in ("approve", "deny"):
            late = await browser.post("/oauth/consent", data=form | {"decision": decision})
            assert late.status_code == 400, "what was read is not what it says now"
    with pytest.raises(WordsChanged):
        await answer(host, app, ana, "weight", "glucose", read=former)
    assert await opened(host, token) == "weight"
    await answer(host, app, ana, "weight", "glucose")
    assert await opened(host, token) == BOTH
    async with host.pool.connection() as connection:
        given = await consents_given(connection, ana.subject, app.app_id)
    assert [(one.purpose.key, one.version, one.closed_as, one.shown["text"]) for one in given] == [
        ("weight", 2, None, "To show weight."),
        ("glucose", 2, None, "To show more."),
        ("weight", 1, "replaced", "To show weight."),
        ("glucose", 1, "replaced", "To show glucose."),
    ]


async def test_after_the_limit_nothing_works_until_the_answer_and_then_all_of_it_goes_on(host):
    app, ana = await host.approved(purposes=(WEIGHT,)), patient()
    tokens = await app.tokens(ana, ["weight"])
    await new_version(host, app, WEIGHT)
    host.offset = timedelta(days=29)
    tokens = (await app.refresh(tokens["refresh_token"])).json()
    assert await opened(host, tokens["access_token"]) == "weight"
    host.offset = timedelta(days=30, minutes=1)
    assert await opened(host, tokens["access_token"]) == "approval awaited"
    refused = await app.refresh(tokens["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    await answer(host, app, ana, "weight")
    renewed = await app.refresh(tokens["refresh_token"])
    assert await opened(host, renewed.json()["access_token"]) == "weight"


async def test_a_further_version_does_not_put_off_the_limit(host):
    app, ana = await host.approved(purposes=(WEIGHT,)), patient()
    await app.code(ana, ["weight"])
    await new_version(host, app, WEIGHT, GLUCOSE)
    host.offset = timedelta(days=20)
    await new_version(host, app, WEIGHT, OTHER_GLUCOSE)
    async with host.pool.connection() as connection, space(connection, ana.subject):
        question = await open_question(connection, app.app_id, ana.subject)
        found = await app_by_id(connection, app.app_id)
        changed = await changes(connection, question, found)
    assert question.limit_at < host.now() + timedelta(days=11)
    assert [(one.kind, one.agreed) for one in changed] == [("same", True), ("new", False)]


async def test_versions_approved_in_the_same_instant_ask_each_patient_once_about_the_last_of_them(host):
    app, ana = await host.approved(purposes=(WEIGHT,)), patient()
    await app.code(ana, ["weight"])
    await new_version(host, app, WEIGHT, GLUCOSE)
    async with host.pool.connection() as connection, space(connection, ana.subject):
        first = await open_question(connection, app.app_id, ana.subject)
    instant = host.now()
    host.now = lambda: instant
    await new_version(host, app, WEIGHT, OTHER_GLUCOSE)
    await new_version(host, app, WEIGHT, GLUCOSE)
    async with host.pool.connection() as connection, space(connection, ana.subject):
        last = await open_question(connection, app.app_id, ana.subject)
        found = await app_by_id(connection, app.app_id)
    assert (last.application_id, last.limit_at) == (found.application_id, first.limit_at)
    assert last.former_application_id == first.former_application_id


async def test_the_difference_is_told_word_by_word_against_what_the_patient_agreed_to(host):
    app, ana = await host.approved(purposes=(WEIGHT, GLUCOSE)), patient()
    await app.code(ana)
    await new_version(host, app, WEIGHT, OTHER_GLUCOSE)
    async with host.pool.connection() as connection, space(connection, ana.subject):
        question = await open_question(connection, app.app_id, ana.subject)
        same, changed = await changes(connection, question, await app_by_id(connection, app.app_id))
    assert [kind for kind, _ in compared(same, "en", host.data_plane).text] == ["same"]
    assert compared(changed, "en", host.data_plane).text == [
        ("same", "To show "), ("gone", "glucose"), ("new", "more"), ("same", "."),
    ]  # fmt: skip


async def test_an_answer_without_a_required_purpose_is_not_taken_and_changes_nothing(host):
    app, ana = await host.approved(purposes=(WEIGHT, GLUCOSE)), patient()
    token = (await app.tokens(ana))["access_token"]
    await new_version(host, app, WEIGHT, OTHER_GLUCOSE)
    with pytest.raises(Unanswerable):
        await answer(host, app, ana, "glucose")
    assert await opened(host, token) == "weight"


async def test_the_consent_page_of_a_changed_app_asks_about_all_of_it_and_that_is_an_answer_too(host):
    app, ana = await host.approved(purposes=(WEIGHT, GLUCOSE)), patient()
    await app.code(ana)
    await new_version(host, app, WEIGHT, OTHER_GLUCOSE)
    parameters, _ = app.authorization(scope=WEIGHT_SCOPE)
    async with host.browser(ana) as browser:
        page = (await browser.get("/oauth/authorize", params=parameters)).text
        assert "The app has changed" in page
        assert 'value="weight" id="purpose-weight" checked' in page
        assert 'value="glucose" id="purpose-glucose">' in page
        form = {"request": hidden(page, "request"), "csrf_token": ana.csrf_token, "decision": "approve"}
        assert (await browser.post("/oauth/consent", data=form | {"purpose": ["weight"]})).status_code == 303
    async with host.pool.connection() as connection:
        (connected,) = await connected_apps(connection, ana.subject, host.now())
    assert connected.question is None
    assert [(given.purpose.key, given.in_force) for given in connected.purposes] == [("weight", True)]


async def test_patients_are_told_once_that_they_are_asked_and_once_that_it_stopped(host):
    app, ana, ben = await host.approved(purposes=(WEIGHT,)), named("Ana"), named("Ben")
    for person in (ana, ben):
        await app.code(person, ["weight"])
    await new_version(host, app, WEIGHT)
    letters = ListedPatients()

    async def tell():
        async with host.pool.connection() as connection:
            await tell_questions(connection, host.journal, letters, host.now())
        told, letters.sent = {who: letter.subject["en"] for who, letter in letters.sent}, []
        return {who.display_name: told[who.subject] for who in (ana, ben) if who.subject in told}

    asked, stopped = "Weight & Sugar has changed: please answer", "The access of Weight & Sugar has stopped"
    assert await tell() == {"Ana": asked, "Ben": asked}
    assert await tell() == {}
    await answer(host, app, ben, "weight")
    host.offset = timedelta(days=31)
    assert await tell() == {"Ana": stopped}
    assert await tell() == {}
    names = [event.name for event in host.journal.events if event.subject == ana.subject]
    assert names[-2:] == ["consent:version:ask", "consent:version:stop"]


async def test_who_never_connected_or_has_disconnected_is_asked_nothing(host):
    app, ana = await host.approved(purposes=(WEIGHT,)), patient()
    await app.code(ana, ["weight"])
    async with host.pool.connection() as connection:
        options = {"person": app.reviewer, "journal": host.journal, "reason": "gone"}
        await change_status(connection, app.app_id, Status.DEREFERENCED, now=host.now(), **options)
        await on_majority(connection, ana.subject, host.now())
        async with space(connection, ana.subject):
            assert await open_question(connection, app.app_id, ana.subject) is None


async def test_coming_of_age_asks_about_every_connected_app_once_and_nothing_stops_before_the_limit(host):
    app, ana = await host.approved(purposes=(WEIGHT,)), patient()
    token = (await app.tokens(ana, ["weight"]))["access_token"]
    async with host.pool.connection() as connection:
        await on_majority(connection, ana.subject, host.now())
        await on_majority(connection, ana.subject, host.now())
        await on_majority(connection, uuid4(), host.now())
        async with space(connection, ana.subject):
            question = await open_question(connection, app.app_id, ana.subject)
    assert question.reason == "majority"
    assert await opened(host, token) == "weight"
