"""Notices to vendors: written with the revocation, signed, tried again for days, and never a way into our network."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from catalogue_host import FHIR, ISSUER, hidden, patient
from joserfc import jwt
from joserfc.jwk import KeySet
from vendor_server import VendorServer

from app_catalog import deliver_notices, on_password_changed, revoke_pairing
from app_catalog.oauth.signing_keys import published_keys


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[VendorServer]:
    running = VendorServer(tmp_path, monkeypatch)
    yield running
    running.close()


async def told_at(host, app, url, person=None):
    """The vendor's page, after an address was saved there."""
    path = f"/catalogue/vendor/apps/{app.app_id}/notification"
    async with host.browser(person or app.vendor) as browser:
        form = {"csrf_token": (person or app.vendor).csrf_token, "url": url}
        return await browser.post(path, data=form), (await browser.get(path)).text


async def disconnect(host, app, person):
    async with host.pool.connection() as connection:
        await revoke_pairing(connection, person.subject, app.app_id, person, host.journal, host.data_plane, host.now())


async def deliver(host, inside=("localhost",), **options):
    return await deliver_notices(
        host.pool, issuer=ISSUER, master_key=host.wiring.master_key, now=host.now(), hosts_inside=inside, **options
    )


async def test_a_vendor_is_sent_a_signed_event_with_the_pairing_id_and_one_word(host, server):
    app, ana = await host.approved(), patient()
    tokens = await app.tokens(ana)
    await told_at(host, app, server.url)
    await disconnect(host, app, ana)
    assert await deliver(host) == 1
    assert await deliver(host) == 0
    ((kind, token),) = server.got
    assert kind == "application/secevent+jwt"
    async with host.pool.connection() as connection:
        keys = KeySet.import_key_set(await published_keys(connection, host.wiring.master_key, host.now()))
    found = jwt.decode(token, keys, algorithms=["ES256"])
    assert found.header["typ"] == "secevent+jwt"
    assert set(found.claims) == {"iss", "aud", "jti", "iat", "toe", "sub_id", "events"}
    assert (found.claims["iss"], found.claims["aud"]) == (ISSUER, app.client_id)
    assert found.claims["sub_id"] == {"format": "opaque", "id": tokens["patient"]}
    assert list(found.claims["events"].values()) == [{"reason": "patient"}]
    assert str(ana.subject) not in json.dumps(found.claims)
    assert str(ana.id) not in json.dumps(found.claims)
    _, page = await told_at(host, app, server.url)
    assert "delivered" in page
    assert tokens["patient"] in page


async def test_a_server_that_does_not_answer_holds_up_its_own_notices_only(host, server):
    silent, prompt, people = await host.approved(), await host.approved(), [patient() for _ in range(10)]
    for one in people:
        await silent.tokens(one)
    await prompt.tokens(people[0])
    await told_at(host, silent, "https://localhost:1/ended")
    await told_at(host, prompt, server.url)
    for one in people:
        await disconnect(host, silent, one)
    host.offset += timedelta(minutes=1)
    await disconnect(host, prompt, people[0])
    assert await deliver(host, batch=9) == 9
    assert len(server.got) == 1, "it is told although others have waited longer"
    async with host.pool.connection() as connection:
        forget = "UPDATE catalogue.revocation_notice SET given_up_at = now() WHERE delivered_at IS NULL"
        await connection.execute(forget)


async def test_what_fails_is_tried_again_later_each_time_and_given_up_after_days(host, server):
    app, ana = await host.approved(), patient()
    await app.tokens(ana)
    await told_at(host, app, server.url)
    server.status = 500
    async with host.pool.connection() as connection:
        await on_password_changed(connection, ana.id, host.journal, host.data_plane, host.now())
    pauses = []
    for _ in range(40):
        assert await deliver(host) == 1
        async with host.pool.connection() as connection:
            row = await (
                await connection.execute(
                    "SELECT due_at, given_up_at, attempts, last_answer, reason FROM catalogue.revocation_notice"
                    " WHERE app_id = %s", (app.app_id,),
                )
            ).fetchone()  # fmt: skip
        if row.given_up_at:
            break
        pauses.append(timedelta(minutes=round((row.due_at - host.now()) / timedelta(minutes=1))))
        host.offset += row.due_at - host.now()
    assert (row.last_answer, row.reason) == ("500", "security")
    assert pauses == sorted(pauses)
    assert pauses[:4] == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert pauses[-1] == timedelta(hours=6)
    assert timedelta(days=4) < host.offset < timedelta(days=5)
    assert len({json.dumps(one) for one in server.got}) == len(server.got) == row.attempts
    assert await deliver(host) == 0


async def test_what_waits_for_a_server_that_is_down_waits_together(host, server):
    app, people = await host.approved(), (patient(), patient())
    for person in people:
        await app.tokens(person)
    await told_at(host, app, server.url)
    server.status = 503
    await disconnect(host, app, people[0])
    await disconnect(host, app, people[1])
    assert await deliver(host, batch=1) == 1
    assert await deliver(host, batch=1) == 0, "the second would have failed as well"
    server.status, host.offset = 202, timedelta(minutes=2)
    assert await deliver(host) == 2


async def test_a_vendor_that_is_gone_is_told_no_more_until_it_says_so(host, server):
    app, ana = await host.approved(), patient()
    await app.tokens(ana)
    await told_at(host, app, server.url)
    server.status = 410
    await disconnect(host, app, ana)
    assert await deliver(host) == 1
    await app.tokens(ana)
    await disconnect(host, app, ana)
    assert await deliver(host) == 0
    async with host.browser(app.vendor) as browser:
        page = (await browser.get(f"/catalogue/vendor/apps/{app.app_id}/notification")).text
    assert "answered 410" in page
    server.status = 202
    await told_at(host, app, server.url)
    await app.tokens(ana)
    await disconnect(host, app, ana)
    assert await deliver(host) == 1
    assert len(server.got) == 2


async def test_no_notice_goes_into_our_own_network_nor_after_a_redirect_nor_to_the_app_that_asked(host, server):
    app, ana = await host.approved(), patient()
    tokens = await app.tokens(ana)
    await told_at(host, app, server.url)
    await app.post("/oauth/revoke", {"token": tokens["refresh_token"], "client_id": app.client_id})
    assert await deliver(host) == 0, "the app gave its token back: it knows"
    await app.tokens(ana)
    await disconnect(host, app, ana)
    assert await deliver(host, inside=()) == 1
    assert server.got == []
    server.status, host.offset = 302, timedelta(minutes=5)
    assert await deliver(host) == 1
    assert len(server.got) == 1
    _, page = await told_at(host, app, server.url)
    assert "302" in page
    host.offset = timedelta(days=6)
    await deliver(host)


async def test_only_the_vendors_writers_set_an_address_and_only_https_ones(host):
    app = await host.approved()
    for wrong in (
        "http://vendor.example/",
        "https://u:p@vendor.example/",
        "javascript:alert(1)",
        "https://" + "a" * 600,
    ):
        answer, _ = await told_at(host, app, wrong)
        assert answer.status_code == 422, wrong
    answer, _ = await told_at(host, app, "https://vendor.example/", person=app.reviewer)
    assert answer.status_code == 403
    answer, page = await told_at(host, app, "https://vendor.example/ended")
    assert answer.status_code == 303
    assert 'value="https://vendor.example/ended"' in page
    async with host.browser(app.vendor) as browser:
        listed = (await browser.get(f"/catalogue/vendor/apps/{app.app_id}/client")).text
    assert f"/catalogue/vendor/apps/{app.app_id}/notification" in listed
    assert FHIR not in page
    assert hidden(page, "csrf_token")
