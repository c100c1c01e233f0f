"""Every 90 days each patient is sent the list of connected apps: once, whatever happens to who sends it."""

import asyncio
from datetime import timedelta

from catalogue_host import ListedPatients, patient

from app_catalog import app_news, list_seen, send_lists, unseen_list
from app_catalog.space import space


async def test_the_list_comes_after_90_days_once_and_again_after_90_more(host):
    app, ana, ben = await host.approved(), patient(), patient()
    await app.code(ana)
    letters = ListedPatients()

    async def send():
        async with host.pool.connection() as connection:
            return await send_lists(connection, host.journal, letters, host.now())

    host.offset = timedelta(days=89)
    await app.code(ben)
    await send()
    assert letters.sent == []
    host.offset = timedelta(days=90, minutes=1)
    assert sum(await asyncio.gather(send(), send(), send())) == 1
    ((subject, letter),) = letters.sent
    assert subject == ana.subject
    assert "– Weight & Sugar, Acme: until " in letter.text["en"]
    assert "– Weight & Sugar, Acme : jusqu’au " in letter.text["fr"]
    host.offset += timedelta(days=89)
    await send()
    assert [subject for subject, _ in letters.sent].count(ana.subject) == 1
    async with host.pool.connection() as connection:
        assert await unseen_list(connection, ana.subject)
        await list_seen(connection, ana.subject, host.now())
        assert await unseen_list(connection, ana.subject) is None
        assert await unseen_list(connection, ben.subject), "it is due as well by now"
    host.offset += timedelta(days=2)
    await send()
    assert [subject for subject, _ in letters.sent].count(ana.subject) == 2
    listed = [event.subject for event in host.journal.events if event.name == "consent:apps:list"]
    assert sorted(listed) == sorted(subject for subject, _ in letters.sent)


async def test_a_failure_in_the_middle_sends_nothing_to_that_patient_but_to_all_others_and_later_to_that_one(host):
    app, ana, ben = await host.approved(), patient(), patient()
    await app.code(ana)
    await app.code(ben)
    host.offset = timedelta(days=91)

    class Away(ListedPatients):
        async def write(self, connection, subject, letter):
            if subject == ana.subject:
                raise ConnectionError
            await super().write(connection, subject, letter)

    async def send(patients):
        async with host.pool.connection() as connection:
            return await send_lists(connection, host.journal, patients, host.now())

    away, letters = Away(), ListedPatients()
    await send(away)
    await send(letters)
    assert ben.subject in {subject for subject, _ in away.sent}
    assert letters.sent == [], "it waits for a minute"
    async with host.pool.connection() as connection, space(connection, ana.subject):
        await connection.execute("UPDATE catalogue.setback SET due_at = now() WHERE subject = %s", (ana.subject,))
    await send(letters)
    assert [subject for subject, _ in letters.sent] == [ana.subject]


async def test_the_portal_knows_what_ends_within_two_weeks(host):
    app, ana = await host.approved(), patient()
    await app.code(ana)
    async with host.pool.connection() as connection:
        assert await app_news(connection, ana.subject, host.now()) == []
        host.offset = timedelta(days=352)
        (news,) = await app_news(connection, ana.subject, host.now())
    assert news.name == "Weight & Sugar"
    assert news.answer_until is None
    assert news.ends_at < host.now() + timedelta(days=14)
