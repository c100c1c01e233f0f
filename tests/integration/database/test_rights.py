"""Least privilege: who may touch what, and that the lists of exemptions are complete."""

from collections.abc import Iterator

import psycopg
import pytest
from ingest_world import World, fresh_world, message, weight
from psycopg import sql

from device_gateway.database.capabilities import capabilities
from device_gateway.database.embedded import EmbeddedPostgres
from device_gateway.database.pool import AsyncPool
from device_gateway.database.scoping import space_scope

# Tables without row-level security, and why none is needed.
EXEMPT = {
    "gateway.reading": "excludes compression; applications have no right to it, they read a security-barrier view",
    "gateway.reading_version": "as reading",
    "gateway.reading_day": "as reading; read through functions that ask for the space",
    "gateway.reading_day_dirty": "ingestion may add to it, and nobody else has a right to it; no value",
    "gateway.reading_day_state": "no role but the owner has a right to it, and it concerns no patient",
    "gateway.account": "no role but the owner has a right to it; signing in goes through functions",
    "gateway.session": "as account",
    "gateway.journal_head": "no role but the owner has a right to it",
    "gateway.migration": "no role but the owner has a right to it, and it concerns no patient",
    "gateway.job": "of the system; payloads hold ids only",
    "gateway.claim_attempt": "of network addresses, before any space is known",
    "gateway.device_certificate": "only ingestion has a right to it; serial numbers and times",
    "gateway.ingest_session": "of the broker; names slots only",
    "gateway.device_clock": "only ingestion has a right to it",
    "gateway.device_clock_used": "only ingestion has a right to it",
    "gateway.device_clock_frozen": "only ingestion has a right to it",
    "gateway.reading_inbox": "belongs to no space; only ingestion has a right to it",
    "gateway.quarantine": "belongs to no space; only ingestion has a right to it",
    "gateway.quarantine_group": "as quarantine; counts only",
    "gateway.dialect_memory": "only ingestion has a right to it; how sensors are described, no value",
    "gateway.arrival": "only ingestion has a right to it; digests and times",
    "gateway.outgoing_mail": "of the system; texts are sealed",
    "catalogue.vendor": "of the catalogue, concerns no patient",
    "catalogue.vendor_member": "of the catalogue, concerns no patient",
    "catalogue.vendor_invitation": "of the catalogue, concerns no patient",
    "catalogue.vendor_step": "of the catalogue, concerns no patient",
    "catalogue.access_key": "of the catalogue, concerns no patient",
    "catalogue.contact_check": "of the catalogue, concerns no patient",
    "catalogue.sandbox_space": "of patients who do not exist",
    "catalogue.application": "of the catalogue, concerns no patient",
    "catalogue.app": "of the catalogue, concerns no patient",
    "catalogue.content": "of vendors, concerns no patient",
    "catalogue.document": "of vendors, concerns no patient",
    "catalogue.answer": "of vendors, concerns no patient",
    "catalogue.criteria_set": "of the catalogue, concerns no patient",
    "catalogue.criterion": "of the catalogue, concerns no patient",
    "catalogue.app_step": "of the catalogue, concerns no patient",
    "catalogue.purpose": "of the catalogue, concerns no patient",
    "catalogue.used_assertion": "of a client, concerns no patient",
    "catalogue.pushed_request": "of a client, before any patient is known",
    "catalogue.initial_token": "of a vendor, concerns no patient",
    "catalogue.signing_key": "of the authorization server, concerns no patient; private halves are sealed",
    "catalogue.interest": "of a review, concerns no patient",
    "catalogue.evaluation": "of a review, concerns no patient",
    "catalogue.question": "of a review, concerns no patient",
    "catalogue.opinion": "of a review, concerns no patient",
    "catalogue.agreement": "of a review, concerns no patient",
    "catalogue.client_observation": "of a client in the sandbox; counts only",
    "catalogue.seen_state": "of a client in the sandbox; digests only",
    "catalogue.scenario_run": "of a client and a simulated patient",
    "catalogue.scenario_step": "as scenario_run",
    "catalogue.attestation": "of a review, concerns no patient",
    "catalogue.revocation_notice": "to a vendor, who knows a patient by the pairing id alone",
    "catalogue.invitation": "of a vendor, concerns no patient",
    "catalogue.audit": "of the catalogue, concerns no patient",
    "catalogue.audit_step": "of the catalogue, concerns no patient",
    "catalogue.report": "what a patient wrote for reviewers: who it was is a number, whose space is in another table",
    "catalogue.complaint": "of the catalogue, concerns no patient",
    "catalogue.renewal": "of the catalogue, concerns no patient",
    "catalogue.end_warning": "of the catalogue, concerns no patient",
    "catalogue.correction_reminder": "of the catalogue, concerns no patient",
    "catalogue.given_end": "of the catalogue, concerns no patient",
    "catalogue.search_text": "of the catalogue, concerns no patient",
}

# Functions that run with the owner's rights, and what for.
DEFINERS = {
    "gateway.account_for_sign_in": "the account before anybody is signed in",
    "gateway.account_of_session": "the hash of one's own password",
    "gateway.account_set_language": "of one's own account",
    "gateway.account_set_password": "of one's own account",
    "gateway.sign_in_failed": "throttling",
    "gateway.session_open": "signing in",
    "gateway.session_of": "a session by its hash, for processes of the version before",
    "gateway.session_account": "a session by its hash",
    "gateway.session_close": "signing out",
    "gateway.journal_append": "the only way to write a journal; refuses another space's",
    "gateway.journal_end": "where the chain of the present space ends",
    "gateway.claim_redeem": "a claim code before its space is known",
    "gateway.claim_space": "a claim code before its space is known",
    "gateway.device_release": "of the present space's devices only",
    "gateway.device_bond_end": "trigger: a bond ends with its holding, whoever ends that",
    "gateway.device_in_use": "a device of another space, for who has just bonded with it; says yes or no only",
    "gateway.device_taken_over": "ends another space's holding, on the proof of a bond made now",
    "gateway.device_credential": "a device before it is signed in",
    "gateway.device_credential_renew": "of a device that the present space holds",
    "gateway.device_certificate_add": "of a device that the present space holds",
    "gateway.device_certificate_renew": "by the serial number of a certificate whose key was proved",
    "gateway.device_certificate_end": "trigger: certificates end with the credentials",
    "gateway.is_operator": "whether a session is an operator's",
    "gateway.quarantine_groups": "for an operator's session only",
    "gateway.quarantine_rows": "for an operator's session only, without payloads",
    "gateway.quarantine_payload": "for an operator's session only; the look is journalled",
    "gateway.inbox_count": "how many, for the space that is asked only",
    "gateway.inbox_groups": "how many and from when to when, for the space that is asked only",
    "gateway.inbox_readings": "values of a time when the present space held the device, never another person's",
    "gateway.inbox_put": "from the inbox into a space, by reading_put; ingestion and the functions here only",
    "gateway.inbox_accept": "what the present space is asked about only, into that space",
    "gateway.inbox_discard": "what the present space is asked about only",
    "gateway.device_user_map": "the present holder is a user of the device, who is nobody else",
    "gateway.device_user_redeem": "by a code of the holder: the present space is that user of the device",
    "gateway.device_user_end": "by the person or the present holder",
    "gateway.device_users": "of a device that the present space holds",
    "gateway.edge_replace": "of the present space's edges and devices only",
    "gateway.edge_space": "the space of an edge that has signed in",
    "gateway.ensure_partition": "makes a month's partition",
    "gateway.reading_put": "tells readings apart without showing them",
    "gateway.reading_put_months": "the part of it that is for native partitions; nobody but it may call it",
    "gateway.reading_keep_version": "trigger: history of corrections",
    "gateway.reading_newest": "pages of the present space's series only",
    "gateway.reading_oldest": "pages of the present space's series only",
    "gateway.reading_days": "of the present space's series only",
    "gateway.reading_buckets": "of the present space's series only",
    "gateway.reading_gaps": "of the present space's series only",
    "gateway.reading_profile": "of the present space's series only",
    "gateway.reading_days_mend": "sums days up again; shows nothing",
    "gateway.reading_days_advance": "sums days up; shows nothing",
    "gateway.reading_days_of_zone": "trigger: names days that another zone changes",
    "gateway.sandbox_open": "makes simulated patients, and nobody else",
    "gateway.sandbox_clear": "of the present space, if it is a simulated patient's",
    "gateway.sandbox_end": "of the present space, if it is a simulated patient's",
    "catalogue.grant_of_token": "a token by its hash",
    "catalogue.grants_of_tokens": "tokens by their hashes",
    "catalogue.open_token": "a token by its hash",
    "catalogue.open_code": "a code by its hash",
    "catalogue.subjects_of_app": "connections of an app that leaves the catalogue",
    "catalogue.grants_of_person": "grants of a person whose password changes",
    "catalogue.sweep": "what is over its date",
    "catalogue.sweep_clients": "what is over its date",
    "catalogue.sweep_contents": "bytes that nothing leads to any more",
    "catalogue.sweep_launches": "what is over its date",
    "catalogue.grants_of_session": "grants that end with a session",
    "gateway.space_language": "of the present space's patient",
    "gateway.spaces_of_age": "ids of spaces whose patients have come of age",
    "catalogue.ask_again": "asks every patient connected with an app whose new version is in force; shows nothing",
    "catalogue.reapprovals_to_tell": "ids of questions that a patient was not told of",
    "catalogue.consents_ended": "ids of connections in which a consent has reached its date",
    "catalogue.apps_lists_due": "ids of spaces that are due for their list of connected apps",
    "catalogue.reporters_of_audit": "whom to tell of an audit's outcome",
    "catalogue.announce": "has every patient connected with an app told of a step; shows nothing",
    "catalogue.announcements_due": "ids of patients who were not told of a step",
}

TABLES = """SELECT n.nspname || '.' || c.relname AS name, c.relrowsecurity AS secured,
    EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS has_policy,
    EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'space_id') AS of_space
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN ('gateway', 'catalogue') AND c.relkind IN ('r', 'p') AND NOT c.relispartition"""


@pytest.fixture(scope="module")
def world(postgres: EmbeddedPostgres) -> Iterator[World]:
    with fresh_world(postgres) as world:
        yield world


@pytest.fixture(scope="module")
def app_url(postgres: EmbeddedPostgres, world: World) -> str:
    return postgres.url("gateway_app", world.database)


@pytest.fixture(scope="module")
def ingest_url(world: World) -> str:
    return world.ingest_url


def refused(url: str, role: str, statement: str) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return True
    return False


def test_every_table_has_row_level_security_or_a_written_reason_to_have_none(world: World) -> None:
    tables = {row.name: row for row in world.rows(TABLES)}
    assert {name for name, row in tables.items() if not row.secured} == EXEMPT.keys()
    assert [name for name, row in tables.items() if row.secured and not row.has_policy] == []


def test_partitions_give_no_right_that_their_table_does_not_give(world: World) -> None:
    world.rows("SELECT gateway.ensure_partition(ARRAY['2024-05-01'::timestamptz])")
    assert world.one(
        "SELECT array_agg(relacl) FROM pg_class WHERE relispartition AND relacl IS NOT NULL"
    ) is None  # fmt: skip


@pytest.mark.parametrize(
    "table",
    ["reading", "reading_version", "reading_day", "reading_day_dirty", "account", "session", "quarantine",
     "reading_inbox", "journal_head", "migration", "device_clock", "device_clock_used"],
)  # fmt: skip
@pytest.mark.parametrize("statement", ["SELECT * FROM", "DELETE FROM", "TRUNCATE", "INSERT INTO {} DEFAULT VALUES"])
def test_the_application_has_no_right_to_what_it_does_not_need(app_url: str, table: str, statement: str) -> None:
    name = f"gateway.{table}"
    assert refused(app_url, "gateway_app", statement.format(name) if "{}" in statement else f"{statement} {name}")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT credential FROM gateway.device",
        "UPDATE gateway.device SET credential = NULL",
        "INSERT INTO gateway.device (model, kind) VALUES ('m', 'device')",
        "UPDATE gateway.device_holding SET space_id = space_id",
        "UPDATE gateway.journal SET reason = 'x'",
        "DELETE FROM gateway.journal",
        "SELECT gateway.reading_put(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        "SELECT gateway.inbox_put(NULL, NULL, NULL, NULL, NULL)",
        "SELECT gateway.inbox_asked(NULL)",
        "INSERT INTO gateway.device_user (user_index) VALUES (1)",
        "UPDATE gateway.device SET shared = false",
        "INSERT INTO gateway.reading_answer (mine) VALUES (true)",
        "UPDATE gateway.device_user_code SET used_at = NULL",
        "INSERT INTO gateway.reading_source (space_id, format, device, name) VALUES (gateway.app_space(), '', '', '')",
        "UPDATE gateway.file_import SET report = NULL",
        "DELETE FROM gateway.file_import_rejected",
        "COPY gateway.job TO PROGRAM 'true'",
        "SET ROLE gateway_owner",
    ],
)
def test_the_application_can_neither_see_credentials_nor_rewrite_the_past(app_url: str, statement: str) -> None:
    assert refused(app_url, "gateway_app", statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM gateway.reading",
        "SELECT * FROM gateway.reading_scoped",
        "UPDATE gateway.reading SET value = 0",
        "DELETE FROM gateway.reading",
        "SELECT * FROM gateway.reading_version",
        "SELECT * FROM gateway.journal",
        "SELECT * FROM gateway.account",
        "SELECT * FROM gateway.session",
        "SELECT * FROM gateway.claim_code",
        "SELECT * FROM catalogue.token",
        "SELECT sealed FROM gateway.device_bond",
        "UPDATE gateway.device_holding SET during = 'empty'",
        "SELECT gateway.account_for_sign_in('ana')",
        "SELECT gateway.inbox_accept(NULL, NULL, NULL, NULL, NULL)",
        "SELECT * FROM gateway.device_user_code",
        "SELECT gateway.claim_redeem(NULL, NULL, NULL, NULL, NULL, NULL)",
    ],
)
def test_ingestion_writes_readings_and_cannot_read_them(ingest_url: str, statement: str) -> None:
    assert refused(ingest_url, "gateway_ingest", statement)


async def test_a_connection_that_forgets_its_scope_sees_nothing_of_any_space(world: World, app_pool: AsyncPool) -> None:
    space, stranger = world.space(), world.space()
    device = world.device(space)
    world.writer().commit([message(device, weight("71.5", "2026-03-01T08:00:00Z"))])
    world.writer().commit([message(device, weight("71.9", "2026-03-01T08:00:00Z"))])
    world.rows(
        "INSERT INTO gateway.claim_code (hash, space_id, name, expires_at) VALUES ('x', %s, 'scale', now() + '1 hour')",
        space,
    )
    world.rows(
        "WITH p AS (INSERT INTO gateway.edge_pairing (space_id, edge_id) VALUES (%s, %s) RETURNING *),"
        " e AS (INSERT INTO gateway.edge_event (space_id, pairing_id, message_id, event, details)"
        " SELECT space_id, id, 'm', 'heard', '{}' FROM p)"
        " INSERT INTO gateway.edge_command (space_id, edge_id, command) SELECT space_id, edge_id, 'scan' FROM p",
        space, device,
    )  # fmt: skip
    world.rows(
        "INSERT INTO gateway.device_bond (device_id, space_id, edge_id, sealed, made_at)"
        " VALUES (%s, %s, %s, 'x', now())",
        device, space, device,
    )  # fmt: skip
    world.rows(
        "WITH i AS (INSERT INTO gateway.file_import (space_id, actor_kind, file_name, state)"
        " VALUES (%s, 'patient', 'f', 'checking') RETURNING *),"
        " p AS (INSERT INTO gateway.file_import_piece (import_id, space_id, n, content)"
        " SELECT id, space_id, 0, 'x' FROM i),"
        " r AS (INSERT INTO gateway.file_import_rejected (import_id, space_id, n, pointer, reason, record)"
        " SELECT id, space_id, 1, '/at', 'why', 'text' FROM i)"
        " INSERT INTO gateway.reading_source (space_id, format, device, name) SELECT space_id, 'csv', '', 'CSV' FROM i",
        space,
    )
    world.rows(
        "WITH u AS (INSERT INTO gateway.device_user (device_id, user_index, space_id, during)"
        " VALUES (%s, 1, %s, tstzrange(now(), NULL)) RETURNING *),"
        " c AS (INSERT INTO gateway.device_user_code (hash, space_id, device_id, user_index, called, expires_at)"
        " SELECT 'x', space_id, device_id, 2, 'Noor', now() FROM u)"
        " INSERT INTO gateway.reading_answer (device_id, metric, time, seq, space_id, mine)"
        " SELECT device_id, 'body-weight', now(), 0, space_id, false FROM u",
        device, space,
    )  # fmt: skip
    places = [row.name for row in world.rows(TABLES) if row.of_space and row.name not in EXEMPT]
    places += ["gateway.device", "gateway.space", "gateway.reading_scoped", "gateway.reading_version_scoped"]
    assert len(places) >= 9
    async with app_pool.connection() as connection:

        async def seen(place: str) -> int:
            column = "id" if place in ("gateway.device", "gateway.space") else "*"
            return len(await (await connection.execute(f"SELECT {column} FROM {place}")).fetchall())

        assert {place: await seen(place) for place in places} == dict.fromkeys(places, 0)
        async with space_scope(connection, space):
            assert [place for place in places if not await seen(place)] == []
        assert {place: await seen(place) for place in places} == dict.fromkeys(places, 0)
        async with space_scope(connection, stranger):
            assert {place: await seen(place) for place in places} == {
                place: place == "gateway.space" for place in places
            }


async def test_nothing_can_be_written_into_another_space(world: World, app_pool: AsyncPool) -> None:
    mine, other = world.space(), world.space()
    async with app_pool.connection() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with space_scope(connection, mine):
                await connection.execute(
                    "INSERT INTO gateway.claim_code (hash, space_id, name, expires_at) VALUES ('y', %s, 'x', now())",
                    (other,),
                )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="journal of another space"):
            async with space_scope(connection, mine):
                await connection.execute(
                    "SELECT gateway.journal_append(%s, 'a:b:c', 'system', NULL, NULL, NULL, NULL, NULL, 'permit', NULL,"
                    " NULL)",
                    (other,),
                )
        async with space_scope(connection, mine):
            changed = await connection.execute("UPDATE gateway.space SET zone = 'UTC' WHERE id = %s", (other,))
            assert changed.rowcount == 0
            released = await connection.execute("SELECT gateway.device_release(%s)", (world.device(other),))
            assert (await released.fetchone()) == (False,)


async def test_a_scope_ends_with_its_transaction_also_when_that_fails(world: World, app_pool: AsyncPool) -> None:
    space = world.space()
    async with app_pool.connection() as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with space_scope(connection, space):
                await connection.execute("SELECT 1 / 0")
        row = await (await connection.execute("SELECT gateway.app_space() AS space")).fetchone()
    assert row.space is None


def test_every_function_with_the_owners_rights_is_listed_has_a_fixed_path_and_is_not_public(world: World) -> None:
    functions = world.rows(
        "SELECT n.nspname || '.' || p.proname AS name, p.prosecdef AS definer, p.proconfig AS config,"
        "  EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)"
        "  AS public"
        " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname IN ('gateway', 'catalogue')"
        "   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
    )
    assert {row.name for row in functions if row.definer} == DEFINERS.keys()
    assert [row.name for row in functions if row.public] == []
    paths = {entry for row in functions if row.definer for entry in row.config if entry.startswith("search_path")}
    assert paths == {"search_path=gateway, pg_temp", "search_path=pg_catalog, pg_temp"}
    assert [row.name for row in functions if row.definer and not any("search_path" in e for e in row.config)] == []


def test_nobody_but_the_owner_can_put_anything_into_the_schemas(app_url: str, ingest_url: str) -> None:
    for url, role in ((app_url, "gateway_app"), (ingest_url, "gateway_ingest")):
        for schema in ("gateway", "catalogue"):
            assert refused(url, role, f"CREATE TABLE {schema}.mine (n int)")


def test_the_store_says_whether_it_has_timescaledb(world: World, request: pytest.FixtureRequest) -> None:
    found = capabilities(world.connect())
    assert bool(found.timescaledb) == found.hypertable == bool(request.config.getoption("--timescaledb"))
    assert not found.columnstore
    assert found.server.split(".")[0].isdigit()
