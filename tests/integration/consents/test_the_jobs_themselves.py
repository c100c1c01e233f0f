"""`device-gateway jobs`, the real process: a space that always raises and a vendor who never answers hold up nobody."""

import socket
from datetime import timedelta

import psycopg
import pytest
from catalogue_host import Host, patient
from fault_world import wait_until
from home_world import Program
from vendor_server import VendorServer

from app_catalog import Cause, Status, change_status, revoke_pairing
from device_gateway.catalogue_key import catalogue_key
from device_gateway.settings import Settings

# Whatever is written about this patient fails, in the middle of the work.
ILL = """CREATE FUNCTION catalogue.ill() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'glucose of % is 4711', NEW.subject; END $$;
GRANT EXECUTE ON FUNCTION catalogue.ill() TO gateway_app;
CREATE TRIGGER ill BEFORE UPDATE ON catalogue.consent FOR EACH ROW WHEN (NEW.subject = '{0}')
  EXECUTE FUNCTION catalogue.ill();
CREATE TRIGGER ill BEFORE UPDATE ON catalogue.announcement FOR EACH ROW WHEN (NEW.subject = '{0}')
  EXECUTE FUNCTION catalogue.ill()"""


@pytest.fixture
def settings(app_url, ingest_url, tmp_path):
    return {"database_url": app_url, "database_ingest_url": ingest_url, "catalogue_key": tmp_path / "key",
            "jwks_hosts": "localhost"}  # fmt: skip


@pytest.fixture
def host(app_pool, settings):
    return Host(app_pool, master_key=catalogue_key(Settings(catalogue_key=settings["catalogue_key"])))


async def test_the_running_jobs_keep_consents_tell_patients_and_tell_vendors_whoever_fails(
    host, settings, owner_url, tmp_path, monkeypatch
):
    vendor = VendorServer(tmp_path, monkeypatch)
    silent = socket.create_server(("127.0.0.1", 0))  # takes the connection, and says nothing
    ended, prompt = await host.approved(), await host.approved()  # the first one's vendor never answers
    people = sorted((patient() for _ in range(3)), key=lambda one: one.subject)
    ill = people[0]
    for one in people:
        await ended.code(one)
    await prompt.code(people[1])
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(
            "UPDATE catalogue.consent c SET ends_at = now() - interval '1 hour' FROM catalogue.pairing r"
            " WHERE r.id = c.pairing_id AND r.app_id = %s", (ended.app_id,),
        )  # fmt: skip
        port = silent.getsockname()[1]
        for app, url in ((prompt, vendor.url), (ended, f"https://localhost:{port}/ended")):
            owner.execute("UPDATE catalogue.app SET notification_url = %s WHERE id = %s", (url, app.app_id))
        async with host.pool.connection() as connection:
            await change_status(
                connection, ended.app_id, Status.SUSPENDED, person=ended.reviewer, journal=host.journal,
                now=host.now(), reason="a test", cause=Cause.CHECK,
            )  # fmt: skip
            await revoke_pairing(
                connection, people[1].subject, prompt.app_id, people[1], host.journal, host.data_plane,
                host.now() - timedelta(minutes=1),
            )  # fmt: skip
        owner.execute(ILL.format(ill.subject))
        config = tmp_path / "jobs.toml"
        config.write_text("".join(f'{name} = "{value}"\n' for name, value in settings.items()))
        jobs = Program(tmp_path / "jobs.log", "ready jobs", "jobs", "--config", str(config))

        def journal(one):
            rows = owner.execute("SELECT event FROM gateway.journal WHERE space_id = %s ORDER BY n", (one.subject,))
            return {event for (event,) in rows.fetchall()}

        try:
            told = {"consent:purpose:end", "consent:app:end", "consent:app:suspend"}
            wait_until(lambda: all(told <= journal(one) for one in people[1:]), 60, "the journals of the others")
            wait_until(lambda: vendor.got, 60, "the vendor who answers")
            setbacks = "SELECT work, error FROM catalogue.setback WHERE subject = %s ORDER BY work"
            waits = [("announcement", "RaiseException"), ("end", "RaiseException")]
            wait_until(lambda: owner.execute(setbacks, (ill.subject,)).fetchall() == waits, 60, "what is put off")
        finally:
            jobs.stop()
            silent.close()
            vendor.close()
    log = (tmp_path / "jobs.log").read_text()
    assert "put off" in log
    assert "4711" not in log, "what failed may quote a value"
    assert str(ill.subject) not in log
