"""A refresh and its line in the real journal are one statement."""

import asyncio
from dataclasses import replace

from catalogue_host import patient
from starlette.applications import Starlette

from app_catalog import routes
from device_gateway.catalogue_wiring import SpaceJournal
from device_gateway.journal.reading_back import Intact, page, verify


async def test_of_parallel_refreshes_one_is_written_and_the_journal_stays_whole(host):
    asked_most, others = routes(replace(host.wiring, journal=SpaceJournal()))
    host.app = Starlette(routes=[asked_most, *others])
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
