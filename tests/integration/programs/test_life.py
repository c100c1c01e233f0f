"""An app in service, as its vendor's program follows it: objections, audits to answer, first users, notices."""

from catalogue_host import Host, Somebody
from program import program

from app_catalog import Cause, Status, change_status
from app_catalog.reports.audit import open_audit, send_plan


async def test_a_pipeline_follows_an_app_in_service(host):
    host = Host(host.pool, master_key=b"k" * 32)
    app = await host.approved()
    async with host.pool.connection() as connection:
        row = await (
            await connection.execute("SELECT vendor_id FROM catalogue.app WHERE id = %s", (app.app_id,))
        ).fetchone()
        ci = await program(host, app.vendor, row.vendor_id)
        (line,) = (await ci.done("GET", "apps"))["items"]
        assert (line["status"], line["agreement_ends_on"] is None) == ("ONLINE", False)
        here = f"apps/{app.app_id}"
        life = await ci.done("GET", f"{here}/life")
        assert life["agreement"]["accepted_by"] == app.vendor.display_name
        assert not [step for step in life["steps"] if step["may_be_objected_to"]]

        reviewer = Somebody("reviewer", display_name="Rita")
        options = {"person": reviewer, "journal": host.journal, "now": host.now()}
        moved = {"reason": "It says too much.", "cause": Cause.CHECK, "mail": host.mail}
        await change_status(connection, app.app_id, Status.SUSPENDED, **options, **moved)
        step = (await ci.done("GET", f"{here}/life"))["steps"][0]
        assert (step["to_status"], step["reason"], step["may_be_objected_to"]) == (
            "SUSPENDED", "It says too much.", True,
        )  # fmt: skip
        objection = {"step": step["id"], "text": "It says what it must."}
        objected = await ci.done("POST", f"{here}/complaints", objection)
        assert objected["steps"][0]["complaint"]["upheld"] is None
        assert (await ci.ask("POST", f"{here}/complaints", objection)).status_code == 409
        assert (await ci.ask("POST", f"{here}/complaints", objection | {"step": 2**62})).status_code == 404

        audit = await open_audit(connection, app.app_id, text="Reports of patients.", **options)
        assert (await ci.done("GET", f"{here}/life"))["audits"] == [], "not before its plan is sent"
        assert (await ci.ask("POST", f"audits/{audit}/answer", {"text": "x"})).status_code == 404
        await send_plan(connection, audit, text="Show us the texts.", mail=host.mail, **options)
        answered = await ci.done("POST", f"audits/{audit}/answer", {"text": "Here they are."})
        assert [one["step"] for one in answered["audits"][0]["steps"]] == ["plan sent", "answer of the vendor"]
        assert "Rita" not in str(answered)

        assert (await ci.ask("POST", f"{here}/invitations", {"label": "us", "places": 3})).status_code == 409
        await change_status(connection, app.app_id, Status.PRE_SERIES, **options, **moved)
        link = (await ci.done("POST", f"{here}/invitations", {"label": "us", "places": 3}))["link"]
        (shown,) = (await ci.done("GET", f"{here}/invitations"))["items"]
        assert (shown["places"], shown["name"] in link) == (3, False)
        await ci.done("DELETE", f"{here}/invitations/{shown['name']}")
        assert (await ci.ask("DELETE", f"{here}/invitations/{shown['name']}")).status_code == 404

    told = await ci.done("PUT", f"{here}/client/notification", {"url": "https://vendor.example/notices"})
    assert (told["url"], told["notices"]) == ("https://vendor.example/notices", [])
    wrong = await ci.ask("PUT", f"{here}/client/notification", {"url": "http://vendor.example/"})
    assert wrong.json()["errors"][0]["pointer"] == "/url"
    assert (await ci.done("PUT", f"{here}/client/notification", {"url": None}))["url"] is None
