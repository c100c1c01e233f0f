"""The review by its pages: who may take part, in which order, who reads what, and what a decision demands."""

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from attested_review import approve
from catalogue_host import Host, Somebody, application

from app_catalog import register_vendor
from app_catalog.review.agreement import agreement_of, extend_agreement
from app_catalog.review.evaluation import Recommendation, criteria_of, purposes_of
from device_simulators.demo.approval import evaluate
from device_simulators.demo.submission import submit


@dataclass
class Review:
    """An application and its people, through the pages."""

    host: Host
    vendor: Somebody
    vendor_id: UUID
    app_id: UUID
    application_id: UUID
    first: Somebody = field(default_factory=lambda: Somebody("reviewer", display_name="Rémi"))
    second: Somebody = field(default_factory=lambda: Somebody("reviewer", display_name="Sarah"))

    @property
    def reviewers(self) -> tuple[Somebody, Somebody]:
        return self.first, self.second

    @property
    def path(self) -> str:
        return f"/catalogue/review/applications/{self.application_id}"

    async def page(self, person, path=""):
        async with self.host.browser(person) as browser:
            return await browser.get(self.path + path)

    async def post(self, person, path, /, **form):
        async with self.host.browser(person) as browser:
            return await browser.post(f"{self.path}/{path}", data={"csrf_token": person.csrf_token, **form})

    async def vendor_page(self):
        async with self.host.browser(self.vendor) as browser:
            return (await browser.get(f"/catalogue/vendor/applications/{self.application_id}/review")).text

    async def vendor_post(self, path, person=None, **form):
        person = person or self.vendor
        async with self.host.browser(person) as browser:
            url = f"/catalogue/vendor/applications/{self.application_id}/{path}"
            return await browser.post(url, data={"csrf_token": person.csrf_token, **form})

    async def judged(self, **changes):
        """The form of an evaluation that agrees with everything."""
        async with self.host.pool.connection() as connection:
            criteria = {f"criterion-{row.code}": "agree" for row in await criteria_of(connection, self.application_id)}
            purposes = {f"purpose-{row.key}": "agree" for row in await purposes_of(connection, self.application_id)}
        whole = {"recommendation": "favourable", "comment": "Read in full.", "action": "hand-in"}
        return {**criteria, **purposes, **whole, **changes}


@pytest.fixture
async def review(host):
    vendor = Somebody("vendor")
    options = {"person": vendor, "journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        vendor_id = await register_vendor(connection, name="Acme", contact="help@acme.example", **options)
        submitted = await submit(connection, application(), vendor_id=vendor_id, **options)
    return Review(host, vendor, vendor_id, submitted.app_id, submitted.application_id)


@asynccontextmanager
async def connected(review):
    async with review.host.pool.connection() as connection:
        yield connection, {"journal": review.host.journal, "now": review.host.now()}


async def test_two_reviewers_lead_an_application_from_admissibility_to_its_place_in_the_catalogue(review):
    first, second, post = review.first, review.second, review.post
    page = await review.page(first)
    assert "Declare first" in page.text
    assert "What the vendor wrote" not in page.text, "nothing before the declaration"
    assert (await post(first, "admissibility", admissible="yes")).status_code == 403
    for person in (first, second):
        assert (await post(person, "interest", interest="no")).status_code == 303
    assert "found complete yet" in (await review.page(first)).text
    assert (await post(first, "opinion", verdict="favourable", text="x")).status_code == 409
    assert (await post(first, "admissibility", admissible="yes")).status_code == 303

    assert (await post(first, "evaluation", action="save", comment="A secret draft.")).status_code == 303
    assert "A secret draft." in (await review.page(first, "/evaluation")).text
    judged = await review.judged()
    incomplete = await post(first, "evaluation", **judged | {"purpose-weight": "disagree", "recommendation": ""})
    assert incomplete.status_code == 422
    assert 'href="#weight"' in incomplete.text
    assert 'href="#recommendation"' in incomplete.text
    assert (await post(first, "evaluation", **judged | {"comment": "Only in my own words."})).status_code == 303
    assert (await post(first, "evaluation", **judged)).status_code == 409, "it does not change any more"
    assert "Only in my own words." in (await review.page(first)).text
    seen = (await review.page(second)).text
    assert "Handed in: Rémi" in seen
    assert "Only in my own words." not in seen, "not before one's own is handed in"
    assert (await post(first, "opinion", verdict="favourable", text="x")).status_code == 409, "one is no quorum"
    assert (await post(second, "evaluation", **judged)).status_code == 303
    assert "Only in my own words." in (await review.page(second)).text

    assert (await post(second, "questions", question="Where is the data?")).status_code == 303
    assert (await post(first, "opinion", verdict="favourable", text="Good.")).status_code == 409, "a question is open"
    link = re.search("questions/([0-9a-f-]+)", await review.vendor_page())[0]
    assert "Sarah" not in await review.vendor_page()
    assert (await review.vendor_post(link, answer="In Nantes.")).status_code == 303
    assert (await review.vendor_post(link, answer="In Paris.")).status_code == 409
    assert "In Nantes." in (await review.page(second)).text
    assert (await post(first, "opinion", verdict="favourable", text="Both agree.")).status_code == 303

    assert (await post(second, "decision", decision="approve")).status_code == 409
    dates = {"starts_on": review.host.now().date().isoformat(), "ends_on": "2999-01-01"}
    assert (await post(first, "agreement", **dates)).status_code == 422, "it is bounded"
    ends_on = review.host.now().date().replace(month=1, day=1, year=review.host.now().year + 2).isoformat()
    assert (await post(first, "agreement", **dates | {"ends_on": ends_on})).status_code == 303
    offered = await review.vendor_page()
    assert "vos données" in offered
    assert "trente jours" in offered
    agreement = re.search("agreements/([0-9a-f-]+)", offered)[0]
    assert (await review.vendor_post(agreement, Somebody("vendor"))).status_code == 403
    assert (await review.vendor_post(agreement)).status_code == 303
    assert (await post(second, "decision", decision="approve")).status_code == 409, "interoperability is not shown"
    assert (await post(second, "attestation", reason="Run on another installation.")).status_code == 303
    assert "Approve and put online" not in (await review.page(first)).text, "nobody decides on their own opinion"
    assert (await post(first, "decision", decision="approve")).status_code == 409
    assert (await post(second, "decision", decision="approve", reason="Meets the criteria.")).status_code == 303

    async with review.host.browser() as browser:
        assert "Weight &amp; Sugar" in (await browser.get("/catalogue")).text
    async with connected(review) as (connection, _):
        assert (await agreement_of(connection, review.app_id)).ends_on.isoformat() == ends_on
    names = review.host.journal.names()
    assert [name.removeprefix("catalogue:") for name in names if name.split(":")[1] in
        {"interest", "evaluation", "question", "opinion", "agreement", "interoperability", "application"}] == [
        "application:submit", "interest:declare", "interest:declare", "application:admit", "evaluation:hand_in",
        "evaluation:hand_in", "question:ask", "question:answer", "opinion:write", "agreement:offer", "agreement:accept",
        "interoperability:attest", "application:approve",
    ]  # fmt: skip
    subjects = [subject for _, subject, _ in review.host.mail.sent]
    assert [part for part in ("question", "agreement", "approved") if any(part in each for each in subjects)] == [
        "question", "agreement", "approved",
    ]  # fmt: skip


async def test_an_interest_excludes_for_good_and_everybody_sees_it(review):
    first, second = review.first, review.second
    assert (await review.post(first, "interest", interest="yes")).status_code == 422, "it is named"
    await review.post(first, "interest", interest="yes", statement="I worked for Acme.")
    await review.post(first, "interest", interest="no")
    assert (await review.post(first, "admissibility", admissible="yes")).status_code == 403
    assert "What the vendor wrote" not in (await review.page(first)).text
    for person in (second, Somebody("operator")):
        assert "I worked for Acme." in (await review.page(person)).text
    assert (await review.post(Somebody("operator"), "interest", interest="no")).status_code == 403
    insider = Somebody("reviewer", id=review.vendor.id)
    assert (await review.post(insider, "interest", interest="no")).status_code == 403
    assert "A member of the vendor" in (await review.page(insider)).text


async def test_who_has_an_interest_reads_nothing_of_the_vendors_by_any_address_before_or_after_the_decision(review):
    first, second, third, fourth = review.first, review.second, Somebody("reviewer"), Somebody("reviewer")
    async with connected(review) as (connection, _):
        row = await (await connection.execute("SELECT id FROM catalogue.document LIMIT 1")).fetchone()
    document = f"/catalogue/documents/{row.id}"
    logo = f"/catalogue/vendor/applications/{review.application_id}/logo"

    async def got(person):
        async with review.host.browser(person) as browser:
            files = [(await browser.get(path)).status_code for path in (document, logo)]
        return files, "What the vendor wrote" in (await review.page(person)).text

    assert await got(first) == ([403, 403], False), "nothing was declared yet"
    await review.post(first, "interest", interest="yes", statement="I worked for Acme.")
    await review.post(second, "interest", interest="no")
    await review.post(third, "interest", interest="no")
    assert await got(first) == ([403, 403], False)
    assert await got(second) == ([200, 404], True), "there is no logo"
    async with connected(review) as (connection, options):
        await approve(
            connection, review.application_id, owner=review.vendor, reviewers=(second, third),
            data_plane=review.host.data_plane, **options,
        )  # fmt: skip
    assert await got(first) == ([403, 403], False), "an interest bars for good"
    assert await got(fourth) == ([200, 404], True), "audits and complaints are about what was decided"
    status = f"/catalogue/review/apps/{review.app_id}/status"
    form = {"action": "suspend", "reason": "A complaint.", "cause": "check"}
    for person, expected in ((first, 403), (fourth, 303)):
        async with review.host.browser(person) as browser:
            form["csrf_token"] = person.csrf_token
            assert (await browser.post(status, data=form)).status_code == expected
            opened = await browser.post(
                "/catalogue/review/audits", data=form | {"app": str(review.app_id), "text": "Look."}
            )
            assert opened.status_code == expected
    async with review.host.browser(first) as browser:
        assert (await browser.get(opened.headers["location"])).status_code == 403


async def test_an_interest_found_late_takes_evaluation_and_opinion_along(review):
    third = Somebody("reviewer")
    async with connected(review) as (connection, options):
        await evaluate(
            connection,
            review.application_id,
            Recommendation.FAVOURABLE,
            reviewers=(review.first, review.second),
            **options,
        )
    await review.post(review.first, "interest", interest="yes", statement="My sister was hired there.")
    await review.post(third, "interest", interest="no")
    seen = (await review.page(review.second)).text
    assert "Not enough reviewers" in seen
    assert "There is no opinion yet." in seen
    await review.post(third, "evaluation", **await review.judged())
    assert (await review.post(third, "opinion", verdict="reservations", text="With care.")).status_code == 303
    assert "There is no opinion yet." not in (await review.page(review.second)).text


async def test_what_is_not_complete_goes_back_with_its_reasons(review):
    await review.post(review.first, "interest", interest="no")
    assert (await review.post(review.first, "admissibility", admissible="no")).status_code == 422
    await review.post(review.first, "admissibility", admissible="no", reason="The impact assessment is empty.")
    assert "The impact assessment is empty." in await review.vendor_page()
    assert (await review.post(review.first, "admissibility", admissible="yes")).status_code == 409
    assert "The impact assessment is empty." in review.host.mail.sent[-1][2]


async def test_an_unfavourable_opinion_lets_nothing_in_and_a_refusal_has_its_reason(review):
    async with connected(review) as (connection, options):
        await evaluate(
            connection,
            review.application_id,
            Recommendation.UNFAVOURABLE,
            reviewers=(review.first, review.second),
            **options,
        )
    assert (await review.post(review.first, "opinion", verdict="favourable", text="x")).status_code == 409
    day = {"starts_on": "2030-01-01", "ends_on": "2031-01-01"}
    assert (await review.post(review.first, "agreement", **day)).status_code == 409
    assert (await review.post(review.second, "decision", decision="approve")).status_code == 409
    assert (await review.post(review.first, "decision", decision="refuse", reason="x")).status_code == 409
    assert (await review.post(review.second, "decision", decision="refuse")).status_code == 422
    assert (await review.post(review.second, "decision", decision="refuse", reason="Too much data.")).status_code == 303
    assert "Too much data." in await review.vendor_page()


async def test_an_agreement_is_lengthened_by_another_and_only_of_an_app_in_force(review):
    end = review.host.now().date().replace(month=1, day=1, year=review.host.now().year + 3)
    accepted = {"accepted_by": review.vendor.id, "accepted_by_name": "Somebody", "accepted_at": review.host.now()}
    async with connected(review) as (connection, options):
        given = {**options, **accepted, "reason": "Asked for.", "data_plane": review.host.data_plane}
        with pytest.raises(Exception, match="has not accepted"):
            await extend_agreement(connection, review.app_id, ends_on=end, person=review.first, **given)
        await review.host.approve(connection, review.application_id, review.vendor)
        for day, fault in (
            (review.host.now().date(), "Some entries"),
            (end.replace(year=end.year + 5), "Some entries"),
        ):
            with pytest.raises(Exception, match=fault):
                await extend_agreement(connection, review.app_id, ends_on=day, person=review.first, **given)
        given["now"] = review.host.now()
        await extend_agreement(connection, review.app_id, ends_on=end, person=review.first, **given)
        found = await agreement_of(connection, review.app_id)
        assert (found.ends_on, found.covers(end), found.accepted_by_name) == (end, False, "Somebody")
