"""What an app can do, and what can be done with it, in each status: one table."""

import asyncio
import re
from datetime import timedelta

import psycopg
import pytest
from catalogue_host import Host, Registered, Somebody, hidden, patient, query_of

from app_catalog import (
    Cause,
    NotAllowed,
    Status,
    WrongState,
    change_status,
    grant_of_token,
    revoke_pairing,
    tell_moves,
)

LAUNCH = "https://app.example/launch"
ACTIONS = (
    "listed", "page", "asked", "asked_invited", "answered", "redeemed", "read", "refreshed", "introspected", "launched",
    "launched_invited", "reported", "disconnected",
)  # fmt: skip
# In the order of ACTIONS; SUSPENDED stops everything at once but disconnecting.
TABLE = {
    Status.ONLINE: (True, True, True, True, True, True, True, True, True, True, True, True, True),
    Status.OFFLINE: (False, True, False, False, False, True, True, True, True, False, False, True, True),
    Status.PRE_SERIES: (False, True, False, True, False, True, True, True, True, False, True, True, True),
    Status.SUSPENDED: (False, True, False, False, False, False, False, False, False, False, False, True, True),
    Status.DEREFERENCED: (False, True, False, False, False, False, False, False, False, False, False, False, False),
}
PATH = (Status.ONLINE, Status.OFFLINE, Status.PRE_SERIES, Status.SUSPENDED, Status.DEREFERENCED)


async def test_each_status_allows_what_the_table_says_and_nothing_else(host):
    app = await host.approved("smart-secret", launch_uri=LAUNCH)
    connected, invited = patient(), patient()
    leaving = {status: patient() for status in PATH}
    codes = {status: await app.code(connected) for status in PATH}
    token = await app.tokens(connected)
    for one in leaving.values():
        await app.tokens(one)
    pages = {status: await _asked(app, patient()) for status in PATH}
    for status in PATH:
        if status is not Status.ONLINE:
            await move(host, app, status)
        if status is Status.PRE_SERIES:
            await _join(host, app, invited)
            assert (await _asked(app, connected))[1].status_code == 200, "who is connected goes on"
        refreshed = await app.refresh(token["refresh_token"])
        if refreshed.status_code == 200:
            token |= refreshed.json()
        found = (
            str(app.app_id) in (await _get(host, "/api/catalogue/apps")).text,
            (await _get(host, f"/catalogue/apps/{app.app_id}")).status_code == 200,
            (await _asked(app, patient()))[1].status_code == 200,
            (await _asked(app, invited))[1].status_code == 200,
            "code" in query_of(await _answer(host, *pages[status])),
            (await app.redeem(*codes[status])).status_code == 200,
            await _reads(host, token),
            refreshed.status_code == 200,
            (await app.post("/oauth/introspect", {"token": token["access_token"]})).json()["active"],
            (await _get(host, f"/catalogue/apps/{app.app_id}/launch", patient())).status_code == 303,
            (await _get(host, f"/catalogue/apps/{app.app_id}/launch", invited)).status_code == 303,
            (await _get(host, f"/catalogue/apps/{app.app_id}/report", patient())).status_code == 200,
            await _disconnects(host, app, leaving[status]),
        )
        assert dict(zip(ACTIONS, found, strict=True)) == dict(zip(ACTIONS, TABLE[status], strict=True)), status


async def test_a_suspension_is_told_to_patients_in_plain_words_and_to_the_vendor_with_its_reason(host):
    app = await host.approved()
    host.mail.sent.clear()
    form = {"action": "suspend", "reason": "Ticket 4711: TLS 1.0.", "cause": "security"}
    async with host.browser(app.reviewer) as browser:
        path = f"/catalogue/review/apps/{app.app_id}/status"
        data = form | {"csrf_token": app.reviewer.csrf_token}
        assert (await browser.post(path, data=data | {"cause": "nonsense"})).status_code == 400
        assert (await browser.post(path, data=data)).status_code == 303
    page = (await _get(host, f"/catalogue/apps/{app.app_id}")).text
    assert "A weakness in its security was found." in page
    assert "It reads and writes nothing at present." in page
    assert "4711" not in page
    ((_, subject, text),) = host.mail.sent
    assert subject == "Weight & Sugar : suspendue / Weight & Sugar: suspended"
    assert text.count("Ticket 4711: TLS 1.0.") == 2
    await move(host, app, Status.ONLINE, cause=Cause.SETTLED)
    page = (await _get(host, f"/catalogue/apps/{app.app_id}")).text
    assert "A weakness in its security was found." in page, "its history stays"
    assert "at present" not in page


async def test_the_circle_has_places_and_an_end_and_its_links_are_the_vendors(host, owner_url):
    app = await host.approved()
    ana, ben, cleo = patient(), patient(), patient()
    life, path = f"/catalogue/vendor/apps/{app.app_id}/life", f"/catalogue/vendor/apps/{app.app_id}/invitations"
    form = {"csrf_token": app.vendor.csrf_token, "label": "Clinic A", "places": "1"}
    async with host.browser(app.vendor) as browser:
        assert (await browser.post(path, data=form)).status_code == 409, "not a pre-series"
        await move(host, app, Status.OFFLINE)
        await move(host, app, Status.PRE_SERIES)
        for wrong in ({"places": "0"}, {"places": "101"}, {"places": "x"}, {"label": ""}):
            assert (await browser.post(path, data=form | wrong)).status_code == 422
        made = await browser.post(path, data=form)
        assert made.headers["cache-control"] == "no-store"
        assert (await browser.post(path, data=form | {"places": "100"})).status_code == 422, "one is given"
        link = re.search("/catalogue/invitations/[^<]+", made.text)[0]
        assert link not in (await browser.get(life)).text
    stranger = Somebody("vendor")
    async with host.browser(stranger) as browser:
        other = form | {"csrf_token": stranger.csrf_token}
        assert (await browser.post(path, data=other)).status_code == 403
        assert (await browser.get(life)).status_code == 403
    assert await _follow(host, link, ana) == 303
    assert await _follow(host, link, ana) == 303, "who is in takes no other place"
    assert await _follow(host, link, ben) == 409
    assert (await _asked(app, ana))[1].status_code == 200
    assert (await _asked(app, ben))[1].headers["location"].startswith("https://app.example/callback?error=unauth")
    with psycopg.connect(owner_url) as connection:
        assert connection.execute("SELECT taken, places FROM catalogue.invitation").fetchall() == [(1, 1)]
    link = await _invite(host, app)
    host.offset = timedelta(days=31)
    assert await _follow(host, link, cleo) == 404
    host.offset = timedelta()
    assert await _follow(host, link, cleo) == 303
    async with host.browser(app.vendor) as browser:
        end = re.search(f'action="({path}/[0-9a-f]+/end)"', (await browser.get(life)).text)[1]
        assert (await browser.post(end, data=form)).status_code == 303
        assert (await browser.post(end, data=form)).status_code == 404
    assert await _follow(host, link, patient()) == 404
    link = await _invite(host, app, 2)
    many = await asyncio.gather(*(_follow(host, link, patient()) for _ in range(6)))
    assert sorted(many) == [303, 303, 409, 409, 409, 409], "two places, six at once"
    assert (await _asked(app, cleo))[1].status_code == 200, "who joined stays"
    joined = [event for event in host.journal.events if event.name == "catalogue:circle:join"]
    assert [event.subject for event in joined[:2]] == [ana.subject, cleo.subject]
    assert len(joined) == 4


async def test_only_reviewers_and_operators_move_an_app_and_nothing_follows_a_removal(host):
    app = await host.approved()
    for kind in ("patient", "vendor", "professional"):
        with pytest.raises(NotAllowed):
            await move(host, app, Status.SUSPENDED, person=Somebody(kind))
    with pytest.raises(NotAllowed):
        await move(host, app, Status.SUSPENDED, person=Somebody("reviewer", id=app.vendor.id))
    await move(host, app, Status.SUSPENDED, person=Somebody("operator"))
    await move(host, app, Status.DEREFERENCED)
    for status in Status:
        with pytest.raises(WrongState):
            await move(host, app, status)


async def move(host: Host, app: Registered, status: Status, person: Somebody | None = None, cause: Cause | None = None):
    async with host.pool.connection() as connection:
        await change_status(
            connection, app.app_id, status, person=person or app.reviewer, journal=host.journal,
            now=host.now(), reason="a test", cause=cause, mail=host.mail,
        )  # fmt: skip
        await tell_moves(connection, host.journal, host.data_plane, host.patients, host.now())


async def _get(host, path, person=None):
    async with host.browser(person) as browser:
        return await browser.get(path, headers={"accept-language": "en"})


async def _asked(app, person):
    """The patient, and what the authorization request is answered with."""
    return person, await _get_authorization(app, person)


async def _get_authorization(app, person):
    parameters, _ = app.authorization()
    async with app.host.browser(person) as browser:
        return await browser.get("/oauth/authorize", params=parameters)


async def _answer(host, person, page):
    form = {"request": hidden(page.text, "request"), "csrf_token": person.csrf_token, "decision": "approve",
            "purpose": ["weight"]}  # fmt: skip
    async with host.browser(person) as browser:
        return await browser.post("/oauth/consent", data=form)


async def _reads(host, token):
    async with host.pool.connection() as connection:
        grant = await grant_of_token(connection, token["access_token"], host.now())
    return grant.refusal is None


async def _disconnects(host, app, person):
    """False where there was nothing left to disconnect."""
    ended = len(host.data_plane.ended)
    async with host.pool.connection() as connection:
        await revoke_pairing(connection, person.subject, app.app_id, person, host.journal, host.data_plane, host.now())
    return len(host.data_plane.ended) > ended


async def _invite(host, app, places=5):
    form = {"csrf_token": app.vendor.csrf_token, "label": "Clinic B", "places": str(places)}
    async with host.browser(app.vendor) as browser:
        made = await browser.post(f"/catalogue/vendor/apps/{app.app_id}/invitations", data=form)
    return re.search("/catalogue/invitations/[^<]+", made.text)[0]


async def _follow(host, link, person):
    """The answer to joining by `link`, or to looking at it where it leads nowhere."""
    async with host.browser(person) as browser:
        looked = await browser.get(link)
        if looked.status_code != 200 or 'type="submit"' not in looked.text:
            return looked.status_code if looked.status_code != 200 else 409
        return (await browser.post(link, data={"csrf_token": person.csrf_token})).status_code


async def _join(host, app, person):
    assert await _follow(host, await _invite(host, app), person) == 303
