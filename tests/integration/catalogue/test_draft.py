"""An application written over days by the pages alone: sections, documents, criteria, submission, versions."""

import io
import re

import pytest
from catalogue_host import WEIGHT_SCOPE, Host, Somebody, hidden, patient
from draft_walk import CHOICES, CLIENT, IDENTITY, PDF, PURPOSE, Vendor
from PIL import Image

from app_catalog.applications.dossier import dossier


def picture(kind="PNG", size=(300, 100)):
    written = io.BytesIO()
    Image.new("RGB", size, "navy").save(written, kind)
    return written.getvalue()


@pytest.fixture
def host(app_pool):
    return Host(app_pool, choices=CHOICES)


@pytest.fixture
async def vendor(host):
    vendor = Vendor(host)
    await vendor.register()
    return vendor


async def test_a_draft_is_filled_in_over_days_submitted_and_followed_by_a_second_version(host, vendor):
    base = await vendor.begin()
    summary = await vendor.browser.get(base)
    assert "Submit for review" not in summary.text
    assert f'href="{base}/identity#description_fr"' in summary.text
    refused = await vendor.submit(base)
    assert refused.status_code == 422
    assert "things are missing" in refused.text

    await vendor.fill_in(base)
    assert (await vendor.upload(f"{base}/logo", "logo.jpg", picture("JPEG"))).status_code == 303
    summary = await vendor.browser.get(base)
    assert "Nothing is missing" in summary.text, re.findall("<li><a.*", summary.text)
    assert (await vendor.submit(base)).status_code == 303
    assert host.journal.names()[-1] == "catalogue:application:submit"
    assert (await vendor.submit(base)).status_code == 409
    assert (await vendor.browser.get(f"{base}/identity")).status_code == 409, "what was submitted has no form any more"

    page = await vendor.browser.get(base)
    for text in ("Montre le poids", "A curve needs values.", WEIGHT_SCOPE, "SEC-01", "dpia.pdf", "Bretagne", "CE 123"):
        assert text in page.text
    application_id = base.rsplit("/", 1)[1]
    async with host.pool.connection() as connection:
        found = await dossier(connection, application_id)
        assert found.purposes[0].read_scope == WEIGHT_SCOPE
        assert len(found.answered) == len(found.criteria.criteria)
        assert found.document(found.answers["SEC-01"].document).name == "dpia.pdf"
        app = await host.approve(connection, found.id, vendor.person)

    version = await vendor.browser.post(
        f"/catalogue/vendor/apps/{app.id}/version", data={"csrf_token": vendor.person.csrf_token}
    )
    second = version.headers["location"]
    again = await vendor.browser.post(
        f"/catalogue/vendor/apps/{app.id}/version", data={"csrf_token": vendor.person.csrf_token}
    )
    assert again.status_code == 409, "one undecided application per app"
    assert f'href="{second}/identity#changes_fr"' in (await vendor.browser.get(second)).text
    news = {"changes_fr": "Une courbe.", "changes_en": "A curve."}
    await vendor.save(f"{second}/identity", **IDENTITY | news | {"description_en": "Shows your weight."})
    added = await vendor.save(f"{second}/purposes", add="yes")
    more = PURPOSE | {"key": "share", "name_fr": "Partager", "name_en": "Share", "required": ""}
    await vendor.save(added.headers["location"], **more)
    changes = (await vendor.browser.get(second)).text
    assert re.search("Shows ?<ins> ?your ?</ins> ?weight.", changes)
    assert "<ins>Partager</ins>" in changes
    assert (await vendor.submit(second)).status_code == 303
    async with host.pool.connection() as connection:
        found = await dossier(connection, second.rsplit("/", 1)[1])
    assert (found.version, found.former, found.unchanged) == (2, 1, {"weight"})
    assert found.logo is not None
    assert found.document(found.answers["SEC-01"].document).application_id == found.id, "documents are copied along"


async def test_saving_keeps_whatever_was_typed_and_says_what_is_wrong_beside_the_field(vendor):
    base = await vendor.begin()
    wrong = CLIENT | {"redirect_uris": "http://app.example/cb", "profile": "no such profile"}
    assert (await vendor.save(f"{base}/client", **wrong)).status_code == 303
    page = await vendor.browser.get(f"{base}/client")
    assert "http://app.example/cb" in page.text
    assert page.text.count('aria-invalid="true"') == 2
    added = await vendor.save(f"{base}/purposes", add="yes")
    path = added.headers["location"]
    await vendor.save(path, **PURPOSE | {"retention_days": "many", "read_scope": "user/Observation.rs"})
    page = await vendor.browser.get(path)
    assert 'value="many"' in page.text
    assert "Pour montrer la courbe." in page.text
    assert page.text.count('aria-invalid="true"') == 2
    assert (await vendor.save(path, remove="yes")).headers["location"].endswith("/purposes?saved")
    assert (await vendor.browser.get(path)).status_code == 404


async def test_two_people_who_save_the_same_section_do_not_lose_what_was_typed(host, vendor):
    base = await vendor.begin()
    stale = hidden((await vendor.browser.get(f"{base}/identity")).text, "seen")
    await vendor.save(f"{base}/identity", **IDENTITY)
    form = {"csrf_token": vendor.person.csrf_token, "seen": stale, "name": "Mine"}
    answer = await vendor.browser.post(f"{base}/identity", data=form)
    assert answer.status_code == 409
    assert 'value="Mine"' in answer.text
    assert "Poids &amp; Co" in (await vendor.browser.get(f"{base}/identity")).text
    form["seen"] = hidden(answer.text, "seen")
    assert (await vendor.browser.post(f"{base}/identity", data=form)).status_code == 303


async def test_purposes_are_as_many_as_needed_and_keep_the_order_that_they_are_given(vendor):
    base = await vendor.begin()
    for number in range(20):
        added = await vendor.save(f"{base}/purposes", add="yes")
        if number < 2:
            await vendor.save(added.headers["location"], **PURPOSE | {"key": f"p{number}", "name_fr": f"Nom {number}"})
    assert (await vendor.save(f"{base}/purposes", add="yes")).status_code == 409
    page = (await vendor.browser.get(f"{base}/purposes")).text
    names = re.findall('name="up" value="([^"]+)"', page)
    await vendor.save(f"{base}/purposes", up=names[0])
    page = (await vendor.browser.get(f"{base}/purposes")).text
    assert page.index("Nom 1") < page.index("Nom 0")


async def test_documents_and_drafts_are_the_vendors_until_submission_and_then_the_reviewers_as_well(host, vendor):
    base = await vendor.begin()
    page = "<script>alert(1)</script>"
    await vendor.upload(f"{base}/documents", "../é .html", page.encode(), kind="supporting")
    await vendor.upload(f"{base}/logo", "logo.png", picture())
    listed = (await vendor.browser.get(f"{base}/documents")).text
    document, logo = re.search("/catalogue/documents/[0-9a-f-]+", listed)[0], f"{base}/logo"
    assert f'src="{logo}"' in listed
    got = await vendor.browser.get(document)
    assert got.text == page
    assert got.headers["content-type"] == "text/plain; charset=utf-8"
    assert got.headers["content-disposition"] == "attachment; filename=\"__.html\"; filename*=UTF-8''%C3%A9%20.html"
    assert "sandbox" in got.headers["content-security-policy"]
    assert got.headers["x-content-type-options"] == "nosniff"
    shown = await vendor.browser.get(logo)
    assert shown.headers["content-type"] == "image/png"
    assert "no-store" in shown.headers["cache-control"]
    others = [Somebody("reviewer"), Somebody("vendor"), patient(), None]
    for person in others:
        async with host.browser(person) as browser:
            for path in (logo, document):
                assert (await browser.get(path)).status_code in {303, 403, 404}
            if person and person.kind == "vendor":
                for path in (base, f"{base}/identity", f"{base}/documents"):
                    assert (await browser.get(path)).status_code == 403
                for path in (f"{base}/submit", f"{base}/end", f"{base}/client"):
                    form = {"csrf_token": person.csrf_token, "sure": "yes"}
                    assert (await browser.post(path, data=form)).status_code == 403
    await vendor.fill_in(base)
    await vendor.submit(base)
    application_id = base.rsplit("/", 1)[1]
    async with host.browser(others[0]) as browser:
        assert (await browser.get(document)).status_code == 403, "interests are declared first"
        form = {"csrf_token": others[0].csrf_token, "interest": "no"}
        await browser.post(f"/catalogue/review/applications/{application_id}/interest", data=form)
        assert (await browser.get(document)).status_code == 200
        assert (await browser.get(logo)).status_code == 200
    async with host.pool.connection() as connection:
        await host.approve(connection, application_id, vendor.person)
    async with host.browser() as browser:
        (app,) = (await browser.get("/api/catalogue/apps")).json()["apps"]
        public = await browser.get(app["logo"])
        assert "immutable" in public.headers["cache-control"]
        assert public.headers["x-content-type-options"] == "nosniff"
        assert (await browser.get(document)).status_code == 303


async def test_a_viewer_reads_a_draft_as_far_as_it_is_and_finds_no_form(host, vendor):
    base = await vendor.begin()
    viewer = Somebody("vendor", display_name="Vera")
    async with host.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO catalogue.vendor_member (vendor_id, person, role, display_name, added_at)"
            " SELECT vendor_id, %s, 'viewer', 'Vera', now() FROM catalogue.vendor_member WHERE person = %s",
            (viewer.id, vendor.person.id),
        )  # fmt: skip
    async with host.browser(viewer) as browser:
        empty = await browser.get(base)
        assert empty.status_code == 200
        assert "entries are still missing" in empty.text
        await vendor.fill_in(base)
        await vendor.save(f"{base}/identity", **IDENTITY | {"links_terms": "javascript:alert(1)", "themes": "nonsense"})
        await vendor.upload(f"{base}/logo", "logo.png", picture())
        page = (await browser.get(base)).text
        assert IDENTITY["description_en"] in page
        assert PURPOSE["wording_en"] in page
        assert 'href="javascript:' not in page
        assert "<form" not in page
        for path in (re.search("/catalogue/documents/[0-9a-f-]+", page)[0], f"{base}/logo"):
            assert (await browser.get(path)).status_code == 200
        assert (await browser.get(f"{base}/identity")).status_code == 403
        assert base in (await browser.get("/catalogue/vendor")).text


async def test_files_that_are_not_what_is_asked_are_refused_with_the_reason(vendor):
    base = await vendor.begin()
    for path, content, reason in (
        ("documents", b"\x7fELF\x02\x01", "A document is a complete PDF"),
        ("documents", b"", "A document is a complete PDF"),
        ("documents", b"a" * (10 * 1024 * 1024 + 1), "too large"),
        ("logo", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "A logo is a picture"),
        ("logo", picture(size=(20, 20)), "between 64 and 4096"),
        ("logo", picture()[:60], "A logo is a picture"),
        ("logo", b"a" * (1024 * 1024 + 1), "too large"),
    ):
        answer = await vendor.upload(f"{base}/{path}", "x", content, kind="supporting")
        assert answer.status_code == 422, path
        assert reason in answer.text
    form = {"csrf_token": "wrong", "kind": "supporting"}
    answer = await vendor.browser.post(f"{base}/documents", data=form, files={"file": ("x", PDF)})
    assert answer.status_code == 403
    answer = await vendor.browser.post(
        f"{base}/documents", content=b"x", headers={"content-type": "multipart/form-data"}
    )
    assert answer.status_code == 400


async def test_what_was_submitted_does_not_change_but_is_withdrawn_and_taken_up_again(host, vendor):
    base = await vendor.begin()
    await vendor.fill_in(base)
    await vendor.submit(base)
    application_id = base.rsplit("/", 1)[1]
    async with host.pool.connection() as connection:
        for statement in (
            "UPDATE catalogue.application SET name = 'x' WHERE id = %s",
            "UPDATE catalogue.application SET state = 'draft', draft = '{}' WHERE id = %s",
            "DELETE FROM catalogue.document WHERE application_id = %s",
            "INSERT INTO catalogue.answer VALUES (%s, 1, 'SEC-01', 'met', 'x', NULL)",
            "UPDATE catalogue.criterion SET mandatory = false WHERE %s::text IS NOT NULL",
        ):
            with pytest.raises(Exception, match="not change"):
                await connection.execute(statement, (application_id,))
    form = {"csrf_token": vendor.person.csrf_token}
    assert (await vendor.browser.post(f"{base}/end", data=form)).status_code == 409, "only who is sure"
    assert (await vendor.browser.post(f"{base}/end", data=form | {"sure": "yes"})).status_code == 303
    assert host.journal.names()[-1] == "catalogue:application:withdraw"
    overview = (await vendor.browser.get("/catalogue/vendor")).text
    again = re.search('action="(/catalogue/vendor/apps/[0-9a-f-]+/version)".*?name="base" value="([^"]+)"', overview)
    version = await vendor.browser.post(again[1], data=form | {"base": again[2]})
    copy = version.headers["location"]
    assert "Nothing is missing" in (await vendor.browser.get(copy)).text
    assert (await vendor.browser.post(f"{copy}/end", data=form | {"sure": "yes"})).status_code == 303
    assert (await vendor.browser.get(copy)).status_code == 404
    async with host.pool.connection() as connection:
        kept = await connection.execute("SELECT application_id::text FROM catalogue.document")
        assert {row.application_id for row in await kept.fetchall()} == {application_id}, "a discarded draft keeps none"
    assert "draft" not in (await vendor.browser.get("/catalogue/vendor")).text


async def test_an_app_without_exchange_needs_no_client_no_purpose_and_no_impact_assessment(host, vendor):
    base = await vendor.begin()
    await vendor.save(f"{base}/identity", **IDENTITY | {"exchanges_data": ""})
    await vendor.answer_all(base)
    assert "SEC-01" not in (await vendor.browser.get(f"{base}/criteria/security")).text
    assert (await vendor.submit(base)).status_code == 303
    async with host.pool.connection() as connection:
        found = await dossier(connection, base.rsplit("/", 1)[1])
    assert (found.application.exchanges_data, found.purposes, found.application.redirect_uris) == (False, (), ())


async def test_a_mandatory_criterion_that_is_not_met_keeps_an_app_out(vendor):
    base = await vendor.begin()
    await vendor.fill_in(base)
    await vendor.answer_all(base, "not_met")
    refused = await vendor.submit(base)
    assert refused.status_code == 422
    assert refused.text.count("This is mandatory") == 25
