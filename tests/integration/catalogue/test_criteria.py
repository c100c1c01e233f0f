"""The set of criteria, made anew by an operator while vendors answer it."""

from catalogue_host import Somebody
from draft_walk import Vendor


async def test_an_operator_prepares_and_publishes_the_next_set_of_criteria(host):
    operator = Somebody("operator")
    path = "/catalogue/criteria/draft"
    async with host.browser(Somebody("reviewer")) as browser:
        assert (await browser.get(path)).status_code == 403
    async with host.browser(operator) as browser:
        form = {"csrf_token": operator.csrf_token}
        assert "Begin a new set" in (await browser.get(path)).text
        assert (await browser.post(path, data=form | {"action": "begin"})).status_code == 303
        assert (await browser.post(path, data=form | {"action": "begin"})).status_code == 409
        names = ("text_fr", "text_en", "help_fr", "help_en", "evidence_fr", "evidence_en", "source")
        texts = dict.fromkeys(names, "Neuf")
        new = form | texts | {"code": "SEC-99", "area": "security", "mandatory": "yes"}
        assert (await browser.post(f"{path}/new", data=new | {"code": "SEC-01"})).status_code == 422
        assert (await browser.post(f"{path}/new", data=new | {"text_en": ""})).status_code == 422
        assert (await browser.post(f"{path}/new", data=new)).status_code == 303
        assert (await browser.post(f"{path}/SUS-04", data=form | {"remove": "yes"})).status_code == 303
        page = (await browser.get(path)).text
        assert "SEC-99: new" in page
        assert "SUS-04: taken out" in page
        assert (await browser.get("/api/catalogue/criteria")).json()["version"] == 1
        assert (await browser.post(path, data=form | {"action": "publish", "version": "2"})).status_code == 422
        publish = form | {"action": "publish", "version": "2", "note": "One more."}
        assert (await browser.post(path, data=publish)).status_code == 303
        assert host.journal.names()[-1] == "catalogue:criteria:publish"
        shown = (await browser.get("/api/catalogue/criteria")).json()
        codes = [one["code"] for one in shown["criteria"]]
        assert (shown["version"], "SEC-99" in codes, "SUS-04" in codes) == (2, True, False)
        assert codes.index("SEC-99") == codes.index("INT-01") - 1, "a set is sorted by area"
        assert (await browser.get("/api/catalogue/criteria?version=1")).json()["version"] == 1
        assert (await browser.get("/api/catalogue/criteria?version=3")).status_code == 404
        assert "Neuf" in (await browser.get("/catalogue/criteria")).text
    vendor = Vendor(host)
    await vendor.register()
    base = await vendor.begin()
    assert "Neuf" in (await vendor.browser.get(f"{base}/criteria/security")).text, "drafts answer the newest set"
