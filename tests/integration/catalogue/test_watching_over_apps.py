"""Apps in service: patients report, reviewers audit, vendors answer and object, agreements end and are renewed."""

import asyncio
import re
from datetime import timedelta

import psycopg
import pytest
from catalogue_host import Somebody, patient

from app_catalog import Status, app_by_id, change_status, keep_agreements, remind_of_corrections, tell_moves

REPORT = {"category": "data", "text": "It shows my weight to others.", "contact": "ana@example.org"}


async def post(host, person, path, **form):
    async with host.browser(person) as browser:
        return await browser.post(path, data={"csrf_token": person.csrf_token, **form})


async def get(host, person, path):
    async with host.browser(person) as browser:
        return (await browser.get(path, headers={"accept-language": "en"})).text


async def status_of(host, app):
    async with host.pool.connection() as connection:
        return (await app_by_id(connection, app.app_id)).status


async def _simulated(host, app):
    """A patient of the vendor's sandbox: nobody who could complain of others."""
    nobody = patient()
    async with host.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO catalogue.sandbox_space (subject, vendor_id, name, username, created_by, created_by_name,"
            " created_at) SELECT %s, vendor_id, 'x', 'x', %s, 'x', now() FROM catalogue.app WHERE id = %s",
            (nobody.subject, nobody.id, app.app_id),
        )
    return nobody


async def audit_of(host, reviewer):
    return re.search(r'href="(/catalogue/review/audits/[^"]+)"', await get(host, reviewer, "/catalogue/review/watch"))[
        1
    ]


async def test_a_report_opens_an_audit_and_its_patient_stays_a_number_and_is_told_of_the_outcome(host, owner_url):
    app = await host.approved()
    ana, ben = patient(), patient()
    path, life = f"/catalogue/apps/{app.app_id}/report", f"/catalogue/vendor/apps/{app.app_id}/life"
    assert (await post(host, ana, path, **REPORT | {"text": " "})).status_code == 422
    assert (await post(host, ana, path, **REPORT | {"category": "x"})).status_code == 400
    assert (await post(host, ana, path, **REPORT | {"may_contact": "yes", "contact": ""})).status_code == 422
    assert (await post(host, app.vendor, path, **REPORT)).status_code == 403
    assert (await post(host, await _simulated(host, app), path, **REPORT)).status_code == 403
    for _ in range(5):
        assert (await post(host, ana, path, **REPORT)).headers["location"] == "/catalogue/reports"
    assert (await post(host, ana, path, **REPORT)).status_code == 409, "five a day"
    await post(host, ben, path, **REPORT | {"text": "Me too.", "may_contact": "yes"})
    assert "The reviewers are looking into it." in await get(host, ana, "/catalogue/reports")

    colleague, audit = Somebody("reviewer"), await audit_of(host, app.reviewer)
    page = await get(host, app.reviewer, audit)
    assert page.count("Patient no. 1000") == 5
    assert page.count("Patient no. 1001") == 1
    assert "May be contacted: Ana Dupont, ana@example.org" in page
    assert page.count("Ana Dupont") == 1, "only of who may be contacted"
    assert str(ana.id) not in page
    assert str(ana.subject) not in page
    assert (await post(host, colleague, audit, action="plan", text="x")).status_code == 409, "taken over by nobody"
    assert (await post(host, app.vendor, audit, action="take")).status_code == 403
    own = Somebody("reviewer", id=app.vendor.id)
    assert (await post(host, own, audit, action="take")).status_code == 403, "a member of the vendor"
    assert (await post(host, colleague, audit, action="take")).status_code == 303
    assert "Audit since" not in await get(host, app.vendor, life)
    answer = audit.replace("/review/", "/vendor/")
    assert (await post(host, app.vendor, answer, text="x")).status_code == 404, "not told yet"
    host.mail.sent.clear()
    await post(host, colleague, audit, action="plan", text="Show us who sees the data.")
    assert "Show us who sees the data." in host.mail.sent[-1][2]
    assert (await post(host, Somebody("vendor"), answer, text="x")).status_code == 403
    assert (await post(host, app.vendor, answer, text="Nobody but the patient.")).status_code == 303
    await post(host, colleague, audit, action="finding", text="The page of another patient opens.")
    decide = {"action": "decide", "outcome": "corrective", "text": "Check who asks."}
    assert (await post(host, colleague, audit, **decide)).status_code == 422, "by which day?"
    due = (host.now() + timedelta(days=30)).date()
    assert (await post(host, colleague, audit, **decide, due_on=due.isoformat())).status_code == 303
    page = await get(host, app.vendor, life)
    for text in ("Nobody but the patient.", "The page of another patient opens.", due.isoformat(), "Check who asks."):
        assert text in page
    assert "shows my weight" not in page, "what patients wrote is not for the vendor"
    assert "Its maker has to correct something." in await get(host, ana, "/catalogue/reports")
    reminders = []
    for days in (1, 22, 23, 24, 29, 30, 31, 31, 60):
        host.offset, before = timedelta(days=days), len(host.mail.sent)
        async with host.pool.connection() as connection:
            await remind_of_corrections(connection, host.mail, host.journal, host.now())
        reminders += [(days, subject) for _, subject, _ in host.mail.sent[before:]]
    assert [(days, "overdue" in subject) for days, subject in reminders] == [(23, False), (29, False), (31, True)]
    assert "Check who asks." in host.mail.sent[-1][2]
    watch = await get(host, colleague, "/catalogue/review/watch")
    assert "1 correction is overdue." in watch
    assert "vendor reminded on" in watch
    assert (await get(host, app.vendor, life)).count("reminder of the correction") == 3
    host.offset = timedelta(days=31)
    decide |= {"outcome": "suspension", "text": "Nothing was corrected.", "cause": "data"}
    assert (await post(host, colleague, audit, **decide)).status_code == 303
    assert await status_of(host, app) is Status.SUSPENDED
    assert (await post(host, colleague, audit, **decide)).status_code == 409, "it has ended"
    assert "The app is suspended." in await get(host, ben, "/catalogue/reports")
    assert "It handled data in another way than it had said." in await get(host, None, f"/catalogue/apps/{app.app_id}")
    told = [event for event in host.journal.events if event.name == "catalogue:report:answer"]
    assert {(event.subject, event.details["outcome"]) for event in told} == {
        (person.subject, outcome) for person in (ana, ben) for outcome in ("corrective", "suspension")
    }
    with psycopg.connect(owner_url) as connection:
        steps = connection.execute("SELECT step FROM catalogue.audit_step ORDER BY id").fetchall()
    assert [step for (step,) in steps] == [
        "audit opened", "taken over", "plan sent", "answer of the vendor", "finding", "outcome",
        *("reminder of the correction",) * 3, "outcome",
    ]  # fmt: skip


async def test_reports_at_once_open_one_audit(host, owner_url):
    app = await host.approved()
    path = f"/catalogue/apps/{app.app_id}/report"
    answers = await asyncio.gather(*(post(host, patient(), path, **REPORT) for _ in range(6)))
    assert [answer.status_code for answer in answers] == [303] * 6
    with psycopg.connect(owner_url) as connection:
        count = "SELECT count(DISTINCT audit_id), count(*), count(DISTINCT reporter) FROM catalogue.report"
        assert connection.execute(count).fetchall() == [(1, 6, 6)]


async def test_a_vendor_objects_to_a_decision_and_another_reviewer_answers(host):
    app = await host.approved()
    colleague, life = Somebody("reviewer"), f"/catalogue/vendor/apps/{app.app_id}/life"
    status, complaints = (
        f"/catalogue/review/apps/{app.app_id}/status",
        f"/catalogue/vendor/apps/{app.app_id}/complaints",
    )
    await post(host, app.reviewer, status, action="OFFLINE", reason="first", cause="fault")
    assert (await post(host, app.reviewer, status, action="suspend", reason="second")).status_code == 422, "patients?"
    await post(host, app.reviewer, status, action="suspend", reason="second", cause="check")
    numbers = re.findall(r'name="step" value="(\d+)"', await get(host, app.vendor, life))
    assert len(numbers) == 2, "what a review wrote down before is no decision to object to"
    for number, text, expected in (
        ("x", "why", 404), ("999999", "why", 404), (numbers[0], "", 422), (numbers[0], "It is mended.", 303),
        (numbers[0], "again", 409),
    ):  # fmt: skip
        assert (await post(host, app.vendor, complaints, step=number, text=text)).status_code == expected
    assert (await post(host, Somebody("vendor"), complaints, step=numbers[1], text="why")).status_code == 403
    host.offset = timedelta(days=63)
    assert (await post(host, app.vendor, complaints, step=numbers[1], text="late")).status_code == 409
    host.offset = timedelta()
    page = await get(host, colleague, "/catalogue/review/watch")
    answer = re.search(r'action="(/catalogue/review/complaints/[^"]+)"', page)[1]
    assert answer not in await get(host, app.reviewer, "/catalogue/review/watch"), "not who decided"
    assert (await post(host, app.reviewer, answer, upheld="yes", text="x")).status_code == 403
    assert (await post(host, colleague, answer, upheld="perhaps", text="x")).status_code == 400
    host.mail.sent.clear()
    assert (await post(host, colleague, answer, upheld="yes", text="It was mended in time.")).status_code == 303
    assert (await post(host, colleague, answer, upheld="no", text="x")).status_code == 409
    assert await status_of(host, app) is Status.OFFLINE, "back to what it was before the decision complained of"
    assert "It was mended in time." in host.mail.sent[-1][2]
    assert "It was mended in time." in await get(host, app.vendor, life)


async def test_an_agreement_that_ends_is_announced_three_times_and_takes_the_app_out(host):
    app, ana = await host.approved(), patient()
    await app.tokens(ana)
    async with host.pool.connection() as connection:
        row = await (await connection.execute("SELECT ends_on FROM catalogue.agreement")).fetchone()
    left = (row.ends_on - host.now().date()).days
    seen = []
    for days in (120, 91, 90, 89, 30, 30, 5, 4, 0, -1, -29, -30, -31):
        host.offset = timedelta(days=left - days)
        host.mail.sent.clear()
        async with host.pool.connection() as connection:
            await keep_agreements(connection, host.mail, host.journal, host.now())
            await keep_agreements(connection, host.mail, host.journal, host.now())
        seen.append((days, len(host.mail.sent), (await status_of(host, app)).value))
    assert seen == [
        (120, 0, "ONLINE"), (91, 0, "ONLINE"), (90, 1, "ONLINE"), (89, 0, "ONLINE"), (30, 1, "ONLINE"),
        (30, 0, "ONLINE"), (5, 1, "ONLINE"), (4, 0, "ONLINE"), (0, 1, "OFFLINE"), (-1, 0, "OFFLINE"),
        (-29, 0, "OFFLINE"), (-30, 1, "DEREFERENCED"), (-31, 0, "DEREFERENCED"),
    ]  # fmt: skip
    async with host.pool.connection() as connection:
        await tell_moves(connection, host.journal, host.data_plane, host.patients, host.now())
    assert len(host.data_plane.ended) == 1
    assert [letter.subject["en"] for _, letter in host.patients.sent] == [
        "Weight & Sugar has left the list", "Weight & Sugar has left the catalogue",
    ]  # fmt: skip
    unpaired = host.journal.events[-1]
    assert (unpaired.name, unpaired.subject, unpaired.actor_kind) == ("consent:app:remove", ana.subject, "system")
    assert "Its agreement has ended." in await get(host, None, f"/catalogue/apps/{app.app_id}")


async def test_an_agreement_is_renewed_on_request_and_the_app_comes_back(host):
    app = await host.approved()
    life, ask = f"/catalogue/vendor/apps/{app.app_id}/life", f"/catalogue/vendor/apps/{app.app_id}/renewal"
    assert (await post(host, app.vendor, ask, text="Nothing changed.")).status_code == 409, "too early"
    async with host.pool.connection() as connection:
        row = await (await connection.execute("SELECT ends_on FROM catalogue.agreement")).fetchone()
    host.offset = timedelta(days=(row.ends_on - host.now().date()).days)
    async with host.pool.connection() as connection:
        await keep_agreements(connection, host.mail, host.journal, host.now())
    assert await status_of(host, app) is Status.OFFLINE
    assert (await post(host, app.vendor, ask, text="Nothing changed.")).status_code == 303
    assert (await post(host, app.vendor, ask, text="Once more.")).status_code == 409
    page = await get(host, app.reviewer, "/catalogue/review/watch")
    decide = re.search(r'action="(/catalogue/review/renewals/[^"]+)"', page)[1]
    new_end = row.ends_on + timedelta(days=365)
    for form, expected in (
        ({"decision": "x"}, 400), ({"decision": "grant", "until": "soon"}, 400), ({"decision": "refuse"}, 422),
        ({"decision": "grant", "until": row.ends_on.isoformat(), "text": "Fine."}, 422),
        ({"decision": "grant", "until": new_end.isoformat(), "text": "Fine."}, 303),
        ({"decision": "refuse", "text": "No."}, 409),
    ):  # fmt: skip
        assert (await post(host, app.reviewer, decide, **form)).status_code == expected
    assert f"Renewed until {new_end.isoformat()}." in await get(host, app.vendor, life)
    async with host.pool.connection() as connection:
        await keep_agreements(connection, host.mail, host.journal, host.now())
    assert await status_of(host, app) is Status.ONLINE


async def test_an_app_that_a_reviewer_took_offline_stays_offline_when_its_agreement_is_alive(host):
    app = await host.approved()
    async with host.pool.connection() as connection:
        await change_status(
            connection, app.app_id, Status.OFFLINE, person=app.reviewer, journal=host.journal, now=host.now(),
            reason="a test",
        )  # fmt: skip
        assert await keep_agreements(connection, host.mail, host.journal, host.now()) == 0


async def test_an_app_without_an_agreement_is_shown_and_ends_on_a_day_that_it_was_given(host, owner_url):
    app, operator = await host.approved(), Somebody("operator", display_name="Odile")
    with psycopg.connect(owner_url) as owner:
        owner.execute("DELETE FROM catalogue.agreement")
    watch, end = "/catalogue/review/watch", f"/catalogue/review/apps/{app.app_id}/end"
    seen = await get(host, operator, watch)
    assert "It has no end." in seen
    assert "Audits" not in seen, "the rest is the reviewers'"
    today = host.now().date()
    last = today + timedelta(days=100)
    for person, day, text, expected in (
        (app.vendor, last, "x", 403), (operator, today + timedelta(days=89), "x", 422), (operator, last, "", 422),
        (operator, last, "Every app needs one.", 303),
    ):  # fmt: skip
        assert (await post(host, person, end, ends_on=day.isoformat(), text=text)).status_code == expected
    assert "Every app needs one." in host.mail.sent[-1][2]
    assert f"It ends on {last.isoformat()}, as Odile set" in await get(host, app.reviewer, watch)
    life = f"/catalogue/vendor/apps/{app.app_id}/life"
    page = await get(host, app.vendor, life)
    assert f"it leaves the list on {last.isoformat()}. Every app needs one." in page
    assert "Object to this decision" in page
    host.offset = timedelta(days=100)
    async with host.pool.connection() as connection:
        await keep_agreements(connection, host.mail, host.journal, host.now())
    assert await status_of(host, app) is Status.OFFLINE
    assert (await post(host, app.vendor, f"{life[:-4]}renewal", text="We agree.")).status_code == 303
    decide = re.search(r'action="(/catalogue/review/renewals/[^"]+)"', await get(host, app.reviewer, watch))[1]
    until = (last + timedelta(days=365)).isoformat()
    assert (await post(host, app.reviewer, decide, decision="grant", until=until, text="Fine.")).status_code == 303
    async with host.pool.connection() as connection:
        await keep_agreements(connection, host.mail, host.journal, host.now())
    assert await status_of(host, app) is Status.ONLINE
    assert "Every app in service has an agreement." in await get(host, operator, watch)
    assert (await post(host, operator, end, ends_on=until, text="x")).status_code == 409


@pytest.mark.parametrize("kind", ["patient", "vendor"])
async def test_the_reviewers_pages_are_theirs(host, kind):
    person = Somebody(kind)
    async with host.browser(person) as browser:
        assert (await browser.get("/catalogue/review/watch")).status_code == 403
    assert (await post(host, person, "/catalogue/review/audits", app="x", text="y")).status_code == 403


async def test_a_reviewer_opens_an_audit_without_a_report(host):
    app = await host.approved()
    form = {"app": str(app.app_id), "text": "A researcher wrote to us."}
    opened = await post(host, app.reviewer, "/catalogue/review/audits", **form)
    assert opened.status_code == 303
    assert (await post(host, app.reviewer, "/catalogue/review/audits", **form)).status_code == 409
    assert "No patient has reported anything." in await get(host, app.reviewer, opened.headers["location"])
    closed = {"action": "decide", "outcome": "closed", "text": "Nothing in it."}
    assert (await post(host, app.reviewer, opened.headers["location"], **closed)).status_code == 303
    assert await status_of(host, app) is Status.ONLINE
