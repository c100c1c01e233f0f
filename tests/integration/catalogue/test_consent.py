"""The consent page, what is kept of it, and who can see it."""

import re
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from catalogue_host import WEIGHT_SCOPE, hidden, patient, purpose, query_of

from app_catalog.space import space

COLUMN_THAT_CHANGES = {
    "pairing": "answered_at",
    "consent": "withdrawn_at",
    "authorization_request": "answered_at",
    "access_grant": "revoked_at",
    "authorization_code": "used_at",
    "token": "used_at",
}


def ticked(page):
    """Keys of the purposes whose boxes are ticked."""
    return re.findall(r'name="purpose" value="([^"]+)"[^>]* checked', page.text)


async def page_for(host, app, person, **changes):
    parameters, _ = app.authorization(**changes)
    async with host.browser(person) as browser:
        return await browser.get("/oauth/authorize", params=parameters)


async def test_a_new_app_has_no_purpose_ticked_and_says_which_are_required(host):
    app = await host.approved()
    page = await page_for(host, app, patient())
    assert page.text.count('type="checkbox" name="purpose"') == 2
    assert ticked(page) == []
    assert page.text.count("cannot work without this purpose") == 1
    assert 'name="decision" value="approve"' in page.text
    assert 'name="decision" value="deny"' in page.text


async def test_reading_and_writing_are_shown_apart_in_plain_words_and_language_of_the_patient(host):
    app = await host.approved(purposes=(purpose("both", read_scope=WEIGHT_SCOPE, write_scope="patient/Observation.c"),))
    page = await page_for(host, app, patient(language="fr"), scope="patient/*.cruds")
    reads, writes = page.text.index('class="reads"'), page.text.index('class="writes"')
    assert reads < page.text.index("vos données : patient/Observation.rs") < writes
    assert writes < page.text.index("vos données : patient/Observation.c")
    assert "Finalité both" in page.text
    assert "Pour both." in page.text


async def test_only_purposes_that_the_request_is_about_are_asked_for(host):
    app = await host.approved()
    page = await page_for(host, app, patient(), scope=WEIGHT_SCOPE)
    assert "Purpose weight" in page.text
    assert "Purpose glucose" not in page.text


async def test_what_was_agreed_to_before_is_ticked(host):
    app, ana = await host.approved(), patient()
    await app.code(ana, ["weight"])
    page = await page_for(host, app, ana)
    assert ticked(page) == ["weight"]


async def test_a_purpose_that_a_later_request_leaves_out_stays_as_it_was(host):
    app, ana = await host.approved(), patient()
    await app.code(ana, ["weight", "glucose"])
    await app.code(ana, ["weight"], scope=WEIGHT_SCOPE)
    page = await page_for(host, app, ana)
    assert ticked(page) == ["weight", "glucose"]


async def test_a_required_purpose_has_to_be_ticked_and_the_page_can_be_sent_again(host):
    app, ana = await host.approved(), patient()
    parameters, _ = app.authorization()
    async with host.browser(ana) as browser:
        page = await browser.get("/oauth/authorize", params=parameters)
        form = {"request": hidden(page.text, "request"), "csrf_token": ana.csrf_token, "decision": "approve"}
        again = await browser.post("/oauth/consent", data=form | {"purpose": ["glucose"]})
        assert again.status_code == 422
        assert ticked(again) == ["glucose"]
        assert hidden(again.text, "request") == form["request"]
        done = await browser.post("/oauth/consent", data=form | {"purpose": ["weight", "glucose", "unknown"]})
    assert "code" in query_of(done)


async def test_an_app_without_required_purposes_needs_at_least_one(host):
    app = await host.approved(purposes=(purpose("a", read_scope=WEIGHT_SCOPE),))
    response, _ = await app.answer(patient(), [])
    assert response.status_code == 422


async def test_refusing_goes_back_with_access_denied_and_writes_nothing_but_the_journal(host):
    app, ana = await host.approved(), patient()
    response, _ = await app.answer(ana, ["weight"], "deny")
    assert response.status_code == 303
    assert query_of(response)["error"] == "access_denied"
    denied = host.journal.events[-1]
    assert (str(denied.name), denied.outcome, denied.subject) == ("consent:app:deny", "deny", ana.subject)
    async with host.pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.space', %s, true)", (str(ana.subject),))
        assert (await (await connection.execute("SELECT count(*) FROM catalogue.pairing")).fetchone())[0] == 0


async def test_the_answer_is_believed_only_from_who_was_asked_with_the_token_of_the_session(host):
    app, ana, ben = await host.approved(), patient(), patient()
    page = await page_for(host, app, ana)
    form = {"request": hidden(page.text, "request"), "purpose": ["weight"], "decision": "approve"}
    beside = replace(ben, id=uuid4(), subject=ana.subject)  # somebody else who acts for the same space
    for other in (ben, beside):
        async with host.browser(other) as browser:
            answer = await browser.post("/oauth/consent", data=form | {"csrf_token": other.csrf_token})
            assert answer.status_code == 400
    async with host.browser() as browser:
        assert (await browser.post("/oauth/consent", data=form | {"csrf_token": ana.csrf_token})).status_code == 400
    async with host.browser(ana) as browser:
        for token in ("", "wrong", ben.csrf_token):
            assert (await browser.post("/oauth/consent", data=form | {"csrf_token": token})).status_code == 403
        for request in ("", "x", str(uuid4())):
            wrong = form | {"csrf_token": ana.csrf_token, "request": request}
            assert (await browser.post("/oauth/consent", data=wrong)).status_code == 400
        assert (await browser.post("/oauth/consent", data=form | {"csrf_token": ana.csrf_token})).status_code == 303


async def test_a_request_is_open_for_a_quarter_of_an_hour(host):
    from datetime import timedelta

    app, ana = await host.approved(), patient()
    page = await page_for(host, app, ana)
    host.offset = timedelta(minutes=16)
    form = {
        "request": hidden(page.text, "request"),
        "purpose": ["weight"],
        "decision": "approve",
        "csrf_token": ana.csrf_token,
    }
    async with host.browser(ana) as browser:
        assert (await browser.post("/oauth/consent", data=form)).status_code == 400


async def test_what_the_patient_read_is_kept_word_for_word(host, owner_url):
    app, ana = await host.approved(), patient(language="fr")
    await app.code(ana, ["weight"])
    with psycopg.connect(owner_url) as connection:
        ((shown,),) = connection.execute("SELECT shown FROM catalogue.consent").fetchall()
    assert shown == {
        "language": "fr",
        "app": "Weight & Sugar",
        "vendor": "Acme",
        "purpose": "Finalité weight",
        "text": "Pour weight.",
        "required": True,
        "retention_days": 90,
        "reads": [f"vos données : {WEIGHT_SCOPE}"],
        "writes": [],
        "everything": False,
    }


async def test_history_is_kept_when_a_purpose_is_taken_back_and_given_again(host, owner_url):
    app, ana = await host.approved(), patient()
    for purposes in (["weight", "glucose"], ["weight"], ["weight", "glucose"], ["weight", "glucose"]):
        await app.code(ana, purposes)
    with psycopg.connect(owner_url) as connection:
        rows = connection.execute(
            "SELECT purpose_key, count(*), count(withdrawn_at) FROM catalogue.consent GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert rows == [("glucose", 2, 1), ("weight", 1, 0)]


async def test_rows_of_another_space_are_invisible(host):
    app, ana, ben = await host.approved(), patient(), patient()
    await app.tokens(ana)
    await app.tokens(ben)
    async with host.pool.connection() as connection:
        for table, column in COLUMN_THAT_CHANGES.items():
            count = f"SELECT count(*) AS n, count(DISTINCT subject) AS subjects FROM catalogue.{table}"
            assert (await (await connection.execute(count)).fetchone()).n == 0
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.space', %s, true)", (str(ana.subject),))
                row = await (await connection.execute(count)).fetchone()
                assert row.n > 0
                assert row.subjects == 1
                update = f"UPDATE catalogue.{table} SET {column} = now() WHERE subject = %s"
                assert (await connection.execute(update, (ben.subject,))).rowcount == 0
            assert (await (await connection.execute(count)).fetchone()).n == 0


async def test_serving_has_no_right_to_rewrite_history_or_to_look_across_spaces(host):
    async with host.pool.connection() as connection:
        for statement in (
            "DELETE FROM catalogue.consent",
            "UPDATE catalogue.consent SET shown = '{}'",
            "UPDATE catalogue.purpose SET wording_fr = ''",
            "UPDATE catalogue.app_step SET reason = ''",
            "UPDATE catalogue.access_grant SET scope = ''",
            "UPDATE catalogue.token SET subject = subject",
            "SELECT * FROM catalogue.grant_at(gen_random_uuid(), now())",
            "TRUNCATE catalogue.token",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)


async def test_what_is_closed_is_never_open_again_whoever_asks(host):
    app, ana = await host.approved(), patient()
    await app.tokens(ana)
    stamps = COLUMN_THAT_CHANGES.items() - {("pairing", "answered_at")} | {("token", "revoked_at")}
    async with host.pool.connection() as connection:
        for table, column in sorted(stamps):
            async with space(connection, ana.subject):
                closed = ", closed_as = 'withdrawn'" if table == "consent" else ""
                closing = f"UPDATE catalogue.{table} SET {column} = now(){closed} WHERE {column} IS NULL"
                await connection.execute(closing)
            with pytest.raises(psycopg.errors.RestrictViolation, match=f"{table} is closed for good"):
                async with space(connection, ana.subject):
                    await connection.execute(f"UPDATE catalogue.{table} SET {column} = NULL")


def test_ingestion_has_no_business_here(ingest_url):
    with psycopg.connect(ingest_url, autocommit=True) as connection:
        connection.execute("SET ROLE gateway_ingest")
        for statement in ("SELECT * FROM catalogue.app", "SELECT * FROM catalogue.grant_of_token('x', now())"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
