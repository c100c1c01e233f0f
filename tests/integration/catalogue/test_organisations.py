"""A vendor's organisation: who joins, what each may do, how it is reached, and that there is always an owner."""

from datetime import timedelta

import pytest
from catalogue_host import Somebody, application, hidden, patient

from app_catalog import NotAllowed, Unacceptable, WrongState, register_vendor
from app_catalog.applications.draft import begin_app
from app_catalog.applications.submission import submit_draft
from app_catalog.events import EventName
from app_catalog.vendors.oid import set_oid
from device_simulators.demo.contact import token_in
from device_simulators.demo.submission import submit

OWNER, COLLEAGUE = Somebody("vendor", display_name="Odile"), Somebody("vendor", display_name="Colin")


async def registered(host, owner=OWNER, name="Acme"):
    """The page of a new organisation, reached by its form."""
    async with host.browser(owner) as browser:
        page = await browser.get("/catalogue/vendor/register")
        form = {"vendor_name": name, "vendor_contact": "Help desk", "contact_email": "post@acme.example"}
        made = await browser.post(
            "/catalogue/vendor/register", data={**form, "csrf_token": hidden(page.text, "csrf_token")}
        )
    assert made.status_code == 303, made.text
    return made.headers["location"]


async def change(host, person, here, **fields):
    async with host.browser(person) as browser:
        return await browser.post(here, data={"csrf_token": person.csrf_token, **fields})


async def joined(host, here, role, person):
    """`person` is invited by mail, and follows the link."""
    await change(host, OWNER, here, action="invite", email="colin@acme.example", role=role)
    link = f"/catalogue/vendor/join?token={token_in(host.mail.sent[-1][2])}"
    async with host.browser(person) as browser:
        page = await browser.get(link)
        assert page.status_code == 200, page.text
        form = {name: hidden(page.text, name) for name in ("token", "csrf_token")}
        return await browser.post("/catalogue/vendor/join", data=form)


async def page_of(host, person, here):
    async with host.browser(person) as browser:
        return await browser.get(here)


async def test_a_colleague_joins_by_a_link_that_works_once_and_for_vendors_only(host):
    here = await registered(host)
    assert (await page_of(host, COLLEAGUE, here)).status_code == 403
    sent = await change(host, OWNER, here, action="invite", email="colin@acme.example", role="developer")
    assert sent.status_code == 303
    to, _, text = host.mail.sent[-1]
    link = f"/catalogue/vendor/join?token={token_in(text)}"
    assert to == "colin@acme.example"
    async with host.browser() as nobody:
        assert "/login?next=/catalogue/vendor/join" in (await nobody.get(link)).headers["location"]
    assert (await page_of(host, patient(), link)).status_code == 403
    assert "Acme" in (await page_of(host, COLLEAGUE, link)).text
    form = {"token": token_in(text), "csrf_token": COLLEAGUE.csrf_token}
    async with host.browser(COLLEAGUE) as browser:
        assert (await browser.post("/catalogue/vendor/join", data=form)).headers["location"] == here
    assert (await page_of(host, Somebody("vendor"), link)).status_code == 404, "used"
    assert (await joined(host, here, "viewer", COLLEAGUE)).status_code == 409, "a member already"
    shown = (await page_of(host, COLLEAGUE, here)).text
    assert "Colin" in shown
    assert "invited, colin@acme.example, developer (Odile)" in shown
    assert {EventName.MEMBER_INVITED, EventName.MEMBER_JOINED} <= set(host.journal.names())


async def test_an_invitation_ends_with_its_time_its_withdrawal_and_the_owner_who_sent_it(host):
    here = await registered(host)
    assert (await joined(host, here, "owner", COLLEAGUE)).status_code == 303
    links = []
    for inviter in (OWNER, OWNER, COLLEAGUE):
        await change(host, inviter, here, action="invite", email="x@acme.example", role="viewer")
        links.append(f"/catalogue/vendor/join?token={token_in(host.mail.sent[-1][2])}")
    row = (await page_of(host, OWNER, here)).text
    await change(host, OWNER, here, action="withdraw", invitation=hidden(row, "invitation"))
    async with host.browser(Somebody("vendor")) as browser:
        assert [(await browser.get(link)).status_code for link in links] == [404, 200, 200]
        await change(host, OWNER, here, action="role", member=str(COLLEAGUE.id), role="developer")
        assert [(await browser.get(link)).status_code for link in links] == [404, 200, 404]
        host.offset = timedelta(days=8)
        assert (await browser.get(links[1])).status_code == 404


async def test_there_is_always_an_owner_and_who_left_has_nothing_to_say(host):
    here = await registered(host)
    me, colleague = str(OWNER.id), str(COLLEAGUE.id)
    assert (await change(host, OWNER, here, action="end", member=me)).status_code == 409
    assert (await change(host, OWNER, here, action="role", member=me, role="viewer")).status_code == 409
    await joined(host, here, "owner", COLLEAGUE)
    left = await change(host, OWNER, here, action="end", member=me)
    assert left.headers["location"] == "/catalogue/vendor"
    assert (await page_of(host, OWNER, here)).status_code == 403
    assert (await change(host, COLLEAGUE, here, action="end", member=colleague)).status_code == 409
    assert (await change(host, OWNER, here, action="oid", oid="1.2.250.1.7")).status_code == 403


async def test_a_developer_works_on_apps_a_viewer_reads_and_neither_manages_the_organisation(host):
    viewer = Somebody("vendor", display_name="Vera")
    app = await host.approved("smart-secret")
    async with host.pool.connection() as connection:
        row = await (
            await connection.execute("SELECT vendor_id FROM catalogue.app WHERE id = %s", (app.app_id,))
        ).fetchone()
    here = f"/catalogue/vendor/organisations/{row.vendor_id}"
    for person, role in ((COLLEAGUE, "developer"), (viewer, "viewer")):
        await change(host, app.vendor, here, action="invite", email="x@acme.example", role=role)
        token = token_in(host.mail.sent[-1][2])
        await change(host, person, "/catalogue/vendor/join", token=token)
    secret, client = (f"/catalogue/vendor/apps/{app.app_id}/{name}" for name in ("secret", "client"))
    rotated = await change(host, COLLEAGUE, secret)
    assert rotated.status_code == 200
    newer = rotated.text.split('id="client-secret">')[1].split("<")[0]
    for generation in (app.secret, newer):
        answer = await app.post("/oauth/introspect", {"token": "x"}, auth=(app.client_id, generation))
        assert answer.status_code == 200, "both generations work"
    refused = [
        await change(host, viewer, secret),
        await change(host, viewer, client),
        await change(host, viewer, f"{here}/sandbox", name="Zoé"),
        *[
            await change(host, person, here, action=action, email="x@y.example", contact_email="x@y.example",
                         role="viewer", member=str(app.vendor.id), oid="1.2.250.1.7")
            for person in (viewer, COLLEAGUE) for action in ("invite", "contact", "oid", "role", "end")
        ],
    ]  # fmt: skip
    assert {answer.status_code for answer in refused} == {403}
    assert {(await page_of(host, viewer, path)).status_code for path in (here, client, f"{here}/sandbox")} == {200}
    assert "<form" not in (await page_of(host, viewer, f"{here}/sandbox")).text
    async with host.pool.connection() as connection:
        options = {"vendor_id": row.vendor_id, "journal": host.journal, "now": host.now()}
        with pytest.raises(NotAllowed):
            await submit(connection, application(), person=viewer, **options)
        await submit(connection, application(), person=COLLEAGUE, **options)


async def test_a_contact_counts_once_its_link_was_followed_and_anew_when_it_changes(host):
    here = await registered(host)
    first = f"/catalogue/vendor/contact?token={token_in(host.mail.sent[-1][2])}"
    await change(host, OWNER, here, action="contact", contact_email="other@acme.example")
    second = f"/catalogue/vendor/contact?token={token_in(host.mail.sent[-1][2])}"
    async with host.browser() as nobody:
        assert (await nobody.get(first)).status_code == 404, "replaced"
        page = await nobody.get(second)
        assert "not confirmed" in (await page_of(host, OWNER, here)).text, "a look at the page confirms nothing"
        done = await nobody.post("/catalogue/vendor/contact", data={"token": hidden(page.text, "token")})
        assert "other@acme.example" in done.text
        assert (await nobody.get(second)).status_code == 404
    assert "other@acme.example, confirmed" in (await page_of(host, OWNER, here)).text
    again = await change(host, OWNER, here, action="contact", contact_email="other@acme.example")
    assert again.status_code == 409
    await change(host, OWNER, here, action="contact", contact_email="third@acme.example")
    assert "third@acme.example, not confirmed" in (await page_of(host, OWNER, here)).text
    wrong = await change(host, OWNER, here, action="contact", contact_email="a@b\r\nBcc: c@d.example")
    assert wrong.status_code == 422
    answers = [await change(host, OWNER, here, action="contact", contact_email=f"{n}@acme.example") for n in range(4)]
    assert answers[-1].status_code == 409, "nobody is flooded with links"


async def test_without_a_confirmed_contact_nothing_is_submitted(host):
    options = {"person": OWNER, "journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        vendor_id = await register_vendor(connection, name="Acme", contact="help", **options)
        draft = await begin_app(connection, "An app", vendor_id=vendor_id, person=OWNER, now=host.now())
        with pytest.raises(WrongState, match="contact"):
            await submit_draft(connection, draft, **options)


async def test_an_oid_is_an_oid_and_belongs_to_one_organisation(host):
    options = {"person": OWNER, "journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        first, second = [
            await register_vendor(connection, name=name, contact="x", **options) for name in ("Acme", "Brav")
        ]
        for oid in ("1.2.250.1.213.4", "urn:oid:2.16.840.1.113883", "1.3.6.1.4.1.4", ""):
            await set_oid(connection, first, oid, **options)
        await set_oid(connection, first, "1.2.250.1.7", **options)
        for wrong in (
            "1.2.250.1.7",
            "1.2.250",
            "1.2.250.01",
            "3.2.250.1",
            "1.40.250.1",
            "1.2..3",
            "1.2.250.1.x",
            "1." * 200,
        ):
            with pytest.raises(Unacceptable):
                await set_oid(connection, second, wrong, **options)
        for number in range(8):
            await register_vendor(connection, name=f"Acme {number}", contact="x", **options)
        with pytest.raises(WrongState, match="ten"):
            await register_vendor(connection, name="One more", contact="x", **options)
