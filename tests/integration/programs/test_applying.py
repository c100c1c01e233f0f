"""A vendor's pipeline: from a draft to a submission, and its tests, by the same rules as the pages."""

import pytest
from catalogue_host import Somebody
from program import PDF, organisation, program

from app_catalog import Choice


@pytest.fixture
async def ci(host):
    owner = Somebody("vendor", display_name="Odile")
    return await program(host, owner, await organisation(host, owner))


async def test_a_pipeline_writes_an_application_and_hands_it_in(host, ci):
    me = await ci.done("GET", "/api/catalogue/vendor")
    assert (me["access_key"]["role"], me["access_key"]["may"]) == ("owner", "write")
    draft = await ci.begin()
    refused = await ci.ask("POST", f"{draft}/submit")
    assert refused.status_code == 422
    assert {"pointer": "/client/profile", "detail": "Choose one of the profiles."} in refused.json()["errors"]
    shown = await ci.fill_in(draft)
    assert shown["missing"] == []
    assert shown["purposes"][0]["wording"]["fr"] == "Pour la courbe."
    done = await ci.done("POST", f"{draft}/submit")
    assert (done["state"], done["version"], done["purposes"]) == ("submitted", 1, shown["purposes"])
    assert (await ci.ask("PATCH", draft, {"client": {}})).status_code == 409
    assert host.journal.events[-1].actor_name == "Odile [ci]"
