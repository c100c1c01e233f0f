"""Consents end on the day that the patient chose: in every check at once, and written down a moment later."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from catalogue_host import hidden, patient

from app_catalog import (
    EndedGrant,
    choose_end,
    connected_apps,
    consents_given,
    end_consents,
    grant_of_token,
    last_day,
    revoke_pairing,
)
from app_catalog.consents.period import NoSuchEnd, chosen_end
from app_catalog.space import space

PARIS = ZoneInfo("Europe/Paris")


async def agree(host, app, person, **fields):
    """Send the consent form of a fresh request with `fields`."""
    parameters, verifier = app.authorization()
    async with host.browser(person) as browser:
        page = (await browser.get("/oauth/authorize", params=parameters)).text
        form = {"request": hidden(page, "request"), "csrf_token": person.csrf_token, "decision": "approve", **fields}
        return page, await browser.post("/oauth/consent", data={"purpose": ["weight", "glucose"], **form}), verifier


async def ends_of(host, app, person):
    async with host.pool.connection() as connection:
        (connected,) = await connected_apps(connection, person.subject, host.now())
    return {given.ends_at for given in connected.purposes}


async def test_the_page_offers_a_year_at_most_and_keeps_an_end_that_was_chosen(host):
    app, ana = await host.approved(), patient()
    page, answer, _ = await agree(host, app, ana, ends="30")
    assert 'value="365" id="ends-365" checked' in page
    assert "ends-keep" not in page
    assert answer.status_code == 303
    today = host.now().astimezone(PARIS).date()
    (ends,) = await ends_of(host, app, ana)
    assert last_day(ends, ana.zone) == today + timedelta(days=30)
    host.offset = timedelta(days=2)
    page, answer, _ = await agree(host, app, ana, ends="keep")
    assert 'value="keep" id="ends-keep" checked' in page
    assert await ends_of(host, app, ana) == {ends}
    for wrong in ({"ends": "400"}, {"ends": "day"}, {"ends": "day", "ends_on": "2020-01-01"}, {"ends": "nonsense"}):
        page, answer, _ = await agree(host, app, ana, **wrong)
        assert answer.status_code == 422
        assert "Choose until when" in answer.text
    assert await ends_of(host, app, ana) == {ends}


async def test_access_ends_on_the_day_without_any_job_and_the_job_writes_it_down_once(host):
    app, ana = await host.approved(), patient()
    day = host.now().astimezone(PARIS).date() + timedelta(days=3)
    _, answer, verifier = await agree(host, app, ana, ends="day", ends_on=day.isoformat())
    code = answer.headers["location"].partition("code=")[2].partition("&")[0]
    tokens = (await app.redeem(code, verifier)).json()
    (ends,) = await ends_of(host, app, ana)
    assert last_day(ends, ana.zone) == day
    host.offset = ends - host.now() - timedelta(minutes=1)
    tokens = (await app.refresh(tokens["refresh_token"])).json()
    host.offset += timedelta(minutes=2)
    async with host.pool.connection() as connection:
        assert (await grant_of_token(connection, tokens["access_token"], host.now())).refusal == "token expired"
    refused = await app.refresh(tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    async with host.pool.connection() as connection:
        for _ in range(2):
            await end_consents(connection, host.journal, host.data_plane, host.now())
        given = await consents_given(connection, ana.subject)
        assert await connected_apps(connection, ana.subject, host.now()) == []
    assert {(one.closed_as, one.closed_at) for one in given} == {("ended", ends)}
    told = [event.name for event in host.journal.events if event.subject == ana.subject]
    assert told[-2:] == ["consent:purpose:end", "consent:app:end"]
    assert told.count("consent:app:end") == 1
    assert [ended.reason for ended in host.data_plane.ended] == ["The day came that the patient had chosen."]


async def test_another_end_is_chosen_later_and_each_choice_stays_in_the_history(host):
    app, ana = await host.approved(), patient()
    await agree(host, app, ana)
    sooner = host.now() + timedelta(days=5)
    async with host.pool.connection() as connection:
        for _ in range(2):
            await choose_end(
                connection, ana.subject, app.app_id, sooner, person=ana, journal=host.journal, now=host.now()
            )
        given = await consents_given(connection, ana.subject)
    assert [one.closed_as for one in given] == [None, None, "changed", "changed"]
    assert {one.ends_at for one in given[:2]} == {sooner}
    assert given[0].shown == given[2].shown
    assert host.journal.names().count("consent:end:choose") == 1


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/Cayenne", "Pacific/Noumea"])
def test_the_last_day_is_a_day_of_the_patients_own_zone(zone):
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert last_day(chosen_end("day", "2026-12-31", zone=zone, now=now), zone) == date(2026, 12, 31)
    assert chosen_end("365", "", zone=zone, now=now) == now + timedelta(days=365)
    for day in ("2026-11-21", "2027-11-25", "x", ""):
        with pytest.raises(NoSuchEnd):
            chosen_end("day", day, zone=zone, now=now)


class Crash(Exception):
    pass


class FailingPlane:
    """A data plane that breaks down once it has been told of a revocation."""

    async def on_revoked(self, connection, grant: EndedGrant) -> None:  # noqa: ARG002
        raise Crash

    def describe(self, scope):
        raise NotImplementedError


async def test_a_crash_on_the_way_leaves_consents_grant_and_notice_as_they_were(host):
    app, ana = await host.approved(), patient()
    token = (await app.tokens(ana))["access_token"]
    async with host.pool.connection() as connection:
        await connection.execute(
            "UPDATE catalogue.app SET notification_url = 'https://vendor.example/' WHERE id = %s", (app.app_id,)
        )
        written = len(host.journal.events)
        with pytest.raises(Crash):
            await revoke_pairing(connection, ana.subject, app.app_id, ana, host.journal, FailingPlane())
        assert (await grant_of_token(connection, token, host.now())).refusal is None
        async with space(connection, ana.subject):
            (connected,) = await connected_apps(connection, ana.subject, host.now())
            row = await (
                await connection.execute(
                    "SELECT count(*) FROM catalogue.revocation_notice WHERE app_id = %s", (app.app_id,)
                )
            ).fetchone()
    assert len(connected.purposes) == 2
    assert row.count == 0
    assert len(host.journal.events) == written
