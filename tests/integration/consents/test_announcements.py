"""Whoever is connected reads what became of the app: once, whatever dies, and nobody waits for somebody else."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from catalogue_host import ListedPatients, Somebody, patient

from app_catalog import Cause, Status, change_status, connected_apps, revoke_pairing, tell_moves
from app_catalog.consents.announcement import CAUSES, news_of
from app_catalog.sandbox.simulated import open_patient
from app_catalog.vendors.vendor import vendors_of
from device_gateway.portal.translations import translations


@pytest.fixture
def owner_url(postgres, shared_database):
    return postgres.url("gateway_owner", shared_database)


async def move(host, app, status, cause=None, person=None):
    async with host.pool.connection() as connection:
        await change_status(
            connection, app.app_id, status, person=person or app.reviewer, journal=host.journal, now=host.now(),
            reason="Ticket 4711.", cause=cause, mail=host.mail,
        )  # fmt: skip


async def tell(host, patients=None, **options):
    async with host.pool.connection() as connection:
        return await tell_moves(
            connection, host.journal, host.data_plane, patients or host.patients, host.now(), **options
        )


def journal_of(host, person):
    return [event for event in host.journal.events if event.subject == person.subject]


async def test_a_suspension_and_its_end_are_in_the_journal_and_in_a_letter_of_each_connected_patient_once(host):
    app, ana, ben, cleo, gone = await host.approved(), patient(), patient(), patient(), patient()
    for one in (ana, ben, gone):
        await app.code(one)
    async with host.pool.connection() as connection:
        await revoke_pairing(connection, gone.subject, app.app_id, gone, host.journal, host.data_plane)
    host.journal.events.clear()
    await move(host, app, Status.SUSPENDED, Cause.SECURITY)
    assert journal_of(host, ana) == [], "the move itself is one statement, however many are connected"
    told = await asyncio.gather(*(tell(host) for _ in range(3)))
    assert max(told) == 2
    for one in (ana, ben):
        [event] = journal_of(host, one)
        assert (event.name, event.actor_kind, event.actor_id, event.actor_name) == (
            "consent:app:suspend", "operator", None, "",
        ), "who of the reviewers it was is not for patients"  # fmt: skip
        assert event.details["cause"] == "security"
        assert event.details["app"] == "Weight & Sugar"
        assert event.details["since"]
        [letter] = [letter for subject, letter in host.patients.sent if subject == one.subject]
        assert letter.subject["fr"] == "Weight & Sugar est suspendue"
        assert "Une faiblesse a été trouvée dans sa sécurité." in letter.text["fr"]
        assert (
            "it reads and writes nothing until it is back. A weakness in its security was found." in letter.text["en"]
        )
        assert "4711" not in letter.text["fr"] + letter.text["en"] + str(event)
    assert journal_of(host, cleo) == journal_of(host, gone) == []
    async with host.pool.connection() as connection:
        [connected] = await connected_apps(connection, ana.subject, host.now())
    assert (connected.moved.status, connected.moved.cause) == (Status.SUSPENDED, Cause.SECURITY)
    await move(host, app, Status.ONLINE, Cause.SETTLED)
    await tell(host)
    assert await tell(host) == 0
    assert [event.name for event in journal_of(host, ana)] == ["consent:app:suspend", "consent:app:resume"]
    async with host.pool.connection() as connection:
        [connected] = await connected_apps(connection, ana.subject, host.now())
    assert connected.moved is None


async def test_who_leaves_the_list_and_comes_back_is_told_and_who_is_removed_disconnects(host):
    app, ana = await host.approved(), patient()
    await app.code(ana)
    host.journal.events.clear()
    for status in (Status.OFFLINE, Status.ONLINE, Status.SUSPENDED, Status.OFFLINE, Status.PRE_SERIES, Status.ONLINE):
        await move(host, app, status)
        await tell(host)
    await move(host, app, Status.DEREFERENCED, Cause.DATA)
    await tell(host)
    assert [event.name for event in journal_of(host, ana)] == [
        "consent:app:unlist", "consent:app:relist", "consent:app:suspend", "consent:app:resume",
        "consent:app:relist", "consent:app:remove",
    ], "from pre-series to the list nothing changes for who is connected"  # fmt: skip
    assert journal_of(host, ana)[-1].details["cause"] == "data"
    assert [letter.subject["en"] for _, letter in host.patients.sent][-1] == "Weight & Sugar has left the catalogue"
    async with host.pool.connection() as connection:
        assert await connected_apps(connection, ana.subject, host.now()) == []
    assert news_of(Status.ONLINE, Status.ONLINE) is None


async def test_a_patient_whose_space_fails_holds_up_nobody_and_is_told_later(host, owner_url):
    app, people = await host.approved(), [patient() for _ in range(4)]
    for one in people:
        await app.code(one)
    ill = min(people, key=lambda one: one.subject)

    class Failing(ListedPatients):
        async def write(self, connection, subject, letter):
            if subject == ill.subject:
                raise ValueError(letter)
            await super().write(connection, subject, letter)

    letters = Failing()
    host.journal.events.clear()
    await move(host, app, Status.SUSPENDED, Cause.CHECK)
    assert await tell(host, letters, batch=1) == 1, "the one who fails comes first"
    while await tell(host, letters, batch=1):
        pass
    assert {subject for subject, _ in letters.sent} == {one.subject for one in people} - {ill.subject}
    with psycopg.connect(owner_url, autocommit=True) as owner:
        row = owner.execute(
            "SELECT work, attempts, error, due_at > now() FROM catalogue.setback WHERE subject = %s", (ill.subject,)
        ).fetchall()
        assert row == [("announcement", 1, "ValueError", True)]
        owner.execute("UPDATE catalogue.setback SET due_at = now() WHERE subject = %s", (ill.subject,))
        await tell(host)
        assert [subject for subject, _ in host.patients.sent] == [ill.subject]
        assert owner.execute("SELECT count(*) FROM catalogue.setback").fetchone() == (0,)


async def test_a_simulated_patient_who_tries_the_next_version_is_not_told_that_the_app_is_suspended(host, owner_url):
    app = await host.approved()
    async with host.pool.connection() as connection:
        (vendor_id,) = await vendors_of(connection, app.vendor.id)
        made = await open_patient(
            connection, vendor_id, "Sim", "fr", person=app.vendor, sandbox=host.sandbox, journal=host.journal,
            now=host.now(),
        )  # fmt: skip
    simulated = Somebody("patient", subject=made.subject)
    with psycopg.connect(owner_url, autocommit=True) as owner:  # connected as it is once it was tried
        owner.execute("DELETE FROM catalogue.sandbox_space WHERE subject = %s", (made.subject,))
        await app.code(simulated)
        owner.execute(
            "INSERT INTO catalogue.sandbox_space (subject, vendor_id, name, username, created_by, created_by_name,"
            " created_at) VALUES (%s, %s, 'Sim', 'sim', %s, '', now())", (made.subject, vendor_id, app.vendor.id),
        )  # fmt: skip
    await move(host, app, Status.SUSPENDED)
    assert await tell(host) == 0
    await move(host, app, Status.DEREFERENCED)
    assert await tell(host) == 1


def test_letters_say_the_causes_as_the_pages_do():
    french = translations("fr")
    for cause in Cause:
        assert CAUSES[cause] == (french.ugettext(cause.label), cause.label)


@pytest.mark.slow
async def test_suspending_an_app_with_100000_connected_patients_takes_seconds(host, owner_url):
    app, ana = await host.approved(), patient()
    await app.code(ana)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(
            "WITH r AS (INSERT INTO catalogue.pairing (id, app_id, subject, created_at, answered_at)"
            "  SELECT gen_random_uuid(), %s, gen_random_uuid(), now(), now() FROM generate_series(1, 100000)"
            "  RETURNING id, subject)"
            " INSERT INTO catalogue.consent (id, pairing_id, subject, purpose_id, purpose_key, shown, given_by,"
            "  given_at, ends_at) SELECT gen_random_uuid(), r.id, r.subject, p.id, p.key, '{}', r.subject, now(),"
            "  now() + interval '1 year' FROM r, catalogue.purpose p JOIN catalogue.app a"
            "    ON a.application_id = p.application_id WHERE a.id = %s AND p.key = 'weight'",
            (app.app_id, app.app_id),
        )
        owner.execute("ANALYZE catalogue.pairing, catalogue.consent")
    before = host.now()
    await move(host, app, Status.SUSPENDED)
    assert host.now() - before < timedelta(seconds=20)
    before = host.now()
    assert await tell(host, batch=500) == 500
    assert host.now() - before < timedelta(seconds=30)
