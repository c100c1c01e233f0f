"""A refresh and its line in the real journal are one statement, which refreshes of others may share."""

import asyncio
from dataclasses import replace

import pytest
from catalogue_host import patient
from starlette.applications import Starlette

from app_catalog import routes
from device_gateway.catalogue_wiring import SpaceJournal
from device_gateway.journal.reading_back import Intact, page, verify


@pytest.fixture
def journalled(host):
    """`host`, with the journal of the product."""
    asked_most, others = routes(replace(host.wiring, journal=SpaceJournal()))
    host.app = Starlette(routes=[asked_most, *others])
    return host


async def test_refreshes_of_many_patients_at_once_are_each_in_the_journal_of_their_own(journalled):
    host = journalled
    app, people = await host.approved("smart-secret"), [patient() for _ in range(8)]
    tokens = [await app.tokens(person) for person in people]
    unknown, *answers = await asyncio.gather(
        app.refresh("unknown"), *(app.refresh(kept["refresh_token"]) for kept in tokens)
    )
    assert (unknown.status_code, unknown.json()["error"]) == (400, "invalid_grant")
    assert {answer.status_code for answer in answers} == {200}
    assert [answer.json()["patient"] for answer in answers] == [kept["patient"] for kept in tokens]
    async with host.pool.connection() as connection:
        for person in people:
            written = await page(connection, person.subject)
            assert [entry.event for entry in written].count("oauth:token:refresh") == 1
            assert await verify(connection, person.subject) == Intact(len(written))


async def test_of_parallel_refreshes_one_is_written_and_the_journal_stays_whole(journalled):
    host = journalled
    public, secret, ana = await host.approved(), await host.approved("smart-secret"), patient()
    tokens = await public.tokens(ana)
    answers = await asyncio.gather(*(public.refresh(tokens["refresh_token"]) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    kept = await secret.tokens(ana)
    answers = await asyncio.gather(*(secret.refresh(kept["refresh_token"]) for _ in range(3)))
    assert len({answer.json()["access_token"] for answer in answers}) == 3
    async with host.pool.connection() as connection:
        written = await page(connection, ana.subject)
        assert [entry.event for entry in written].count("oauth:token:refresh") == 1 + 3
        refreshed = next(entry for entry in written if entry.event == "oauth:token:refresh")
        assert (refreshed.actor_kind, refreshed.purpose, refreshed.outcome) == ("app", "weight glucose", "permit")
        assert await verify(connection, ana.subject) == Intact(len(written))
