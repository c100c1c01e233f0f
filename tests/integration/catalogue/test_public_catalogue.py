"""The public list and the page of an app, for people and for programs; User-access Brands."""

import re
from datetime import UTC, datetime

import pytest
from catalogue_host import FHIR, GLUCOSE_SCOPE, ISSUER, WEIGHT, WEIGHT_SCOPE, Host, patient, purpose
from fhirclient.models.bundle import Bundle

from app_catalog import (
    BadBrand,
    Choice,
    Published,
    Status,
    brand_from,
    brand_of_url,
    change_status,
    smart_configuration,
)

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CHOICES = (
    Choice("weight", {"fr": "Poids", "en": "Weight"}, WEIGHT_SCOPE, categories=(f"{CATEGORY}|vital-signs",)),
    Choice("glucose", {"fr": "Glycémie", "en": "Glucose"}, GLUCOSE_SCOPE, categories=(f"{CATEGORY}|laboratory",)),
    Choice(
        "laboratory",
        {"fr": "Laboratoire", "en": "Laboratory"},
        f"patient/Observation.rs?category={CATEGORY}|laboratory",
    ),
    Choice("everything", {"fr": "Tout", "en": "Everything"}, "patient/Observation.rs"),
)
CLINIC = brand_of_url("https://www.clinic.example", "Clinic", datetime(2026, 1, 2, tzinfo=UTC))
LINKS = {"site": "https://a.example", "terms": "https://a.example/t", "privacy": "https://a.example/p",
         "support": "https://a.example/s", "web": "https://a.example/app"}  # fmt: skip
APPS = {
    "Œil & Santé": (
        {"fr": "Suit la glycémie des élèves.", "en": "Follows blood sugar."},
        Published(LINKS, "paid", ("FR-BRE",), ("GESTION",), "IIa", "CE 0459"),
        (purpose("sugar", read_scope=GLUCOSE_SCOPE, required=True),),
    ),
    "Balance": (
        {"fr": "Écrit votre poids.", "en": "Writes your weight."},
        Published(LINKS, "free", (), ("USAGE_BIEN_ETRE", "GESTION")),
        (purpose("kilos", write_scope="patient/Observation.c"),),
    ),
    "Zen": (
        {"fr": "Tout, pour respirer.", "en": "Everything, to breathe."},
        Published(LINKS, "free_with_purchases", ("FR-BRE", "FR-IDF"), ("PREVENTION_INFO",)),
        (
            purpose("lab", read_scope=f"patient/Observation.rs?category={CATEGORY}|laboratory"),
            purpose("scales", read_scope="patient/Observation.rs?code:in=weights"),
        ),
    ),
}
FOUND = [
    ("", "Balance, Œil & Santé, Zen"),
    ("q=ELEVES", "Œil & Santé"),
    ("q=oeil+sante", "Œil & Santé"),
    ("q=%C5%93il", "Œil & Santé"),
    ("q=blood+sugar", "Œil & Santé"),
    ("q=Purpose+kilos", "Balance"),
    ("q=acme", "Balance, Œil & Santé, Zen"),
    ("q=%25", ""),
    ("q=balance+zen", ""),
    ("theme=GESTION", "Balance, Œil & Santé"),
    ("region=FR-IDF", "Balance, Zen"),
    ("price=paid", "Œil & Santé"),
    ("exchange=yes", "Balance, Œil & Santé, Zen"),
    ("exchange=no", ""),
    ("reads=weight", "Zen"),
    ("reads=glucose", "Œil & Santé, Zen"),
    ("reads=laboratory", "Zen"),
    ("reads=everything", ""),
    ("writes=weight", "Balance"),
    ("writes=everything", "Balance"),
    ("theme=GESTION&price=free&q=poids", "Balance"),
]


@pytest.fixture
async def shop(app_pool) -> Host:
    host = Host(app_pool, choices=CHOICES, value_sets={"weights": frozenset({WEIGHT})})
    host.apps = {
        name: await host.approved(name=name, description=description, published=published, purposes=purposes)
        for name, (description, published, purposes) in APPS.items()
    }
    return host


async def test_the_catalogue_is_searched_and_filtered_and_read_by_programs(shop):
    async with shop.browser() as browser:
        for query, expected in FOUND:
            names = [app["name"] for app in (await browser.get(f"/api/catalogue/apps?{query}")).json()["apps"]]
            assert ", ".join(names) == expected, query
            page = (await browser.get(f"/catalogue?{query}")).text
            for name in APPS:
                assert (f">{name.replace('&', '&amp;')}</a></h2>" in page) is (name in names), query
            assert ("No app is like this" in page) is (not names)
            assert ("Clear all filters" in page) is bool(query)
        for wrong in ("theme=x", "region=x", "price=x", "exchange=x", "reads=x", "writes=glucoses", "page=0", "page=x",
                      "q=%00", "q=a+b+c+d+e+f+g+h+i"):  # fmt: skip
            assert (await browser.get(f"/catalogue?{wrong}")).status_code == 400, wrong
            refused = await browser.get(f"/api/catalogue/apps?{wrong}")
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
        assert "There is nothing on this page." in (await browser.get("/catalogue?page=2")).text
        page = (await browser.get("/catalogue?q=%22%3E%3Cscript%3E&page=1")).text
        assert "<script" not in page

        first = await browser.get("/api/catalogue/apps", headers={"origin": "https://other.example"})
        assert first.json()["total"] == 3
        assert first.json()["next"] is None
        assert first.headers["access-control-allow-origin"] == "*"
        assert first.headers["cache-control"] == "public, no-cache"
        asked = await browser.options("/api/catalogue/apps", headers={"origin": "https://other.example"})
        assert (asked.status_code, asked.headers["access-control-allow-headers"]) == (204, "If-None-Match")
        tag = first.headers["etag"]
        for header in (tag, f'"x", {tag}', "*", tag.removeprefix("W/")):
            again = await browser.get("/api/catalogue/apps", headers={"if-none-match": header})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        async with shop.pool.connection() as connection:
            zen = shop.apps["Zen"]
            await change_status(
                connection, zen.app_id, Status.SUSPENDED, person=zen.reviewer, journal=shop.journal,
                now=shop.now(), reason="a test",
            )  # fmt: skip
        assert (await browser.get("/api/catalogue/apps", headers={"if-none-match": tag})).json()["total"] == 2


async def test_the_page_of_an_app_says_what_it_reads_and_writes_and_why_and_who_makes_it(shop):
    app = shop.apps["Œil & Santé"]
    async with shop.browser() as browser:
        page = (await browser.get(f"/catalogue/apps/{app.app_id}", headers={"accept-language": "en"})).text
        described = (await browser.get(f"/api/catalogue/apps/{app.app_id}")).json()
    for text in (
        "Follows blood sugar.", "Purpose sugar", "To show sugar.", "required", f"your data: {GLUCOSE_SCOPE}",
        "90 days", "Acme", "help@acme.example", "paid", "Bretagne", "yes, class IIa", "CE 0459", "Agreement until",
        'href="https://a.example/p"', 'href="https://a.example/app"',
    ):  # fmt: skip
        assert text in page, text
    assert "/report" not in page, "only patients report"
    assert described["medical_device"] == {"class": "IIa", "certificate": "CE 0459"}
    assert described["page"] == f"{ISSUER}/catalogue/apps/{app.app_id}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", described["agreed_until"])
    async with shop.browser(patient()) as browser:
        page = (await browser.get(f"/catalogue/apps/{app.app_id}")).text
    assert f'href="/catalogue/apps/{app.app_id}/report"' in page
    async with shop.browser() as browser:
        for name in ("x", "00" * 32, "é"):
            assert (await browser.get(f"/catalogue/logos/{name}")).status_code == 404


async def test_the_brands_bundle_is_fhir_r4_and_names_one_brand_with_our_endpoint(app_pool):
    host = Host(app_pool, brand=CLINIC)
    async with host.browser() as browser:
        answer = await browser.get("/brands.json", headers={"origin": "https://apps.example"})
        again = await browser.get("/brands.json", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert answer.headers["content-type"] == "application/fhir+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["etag"].startswith('W/"')
    bundle = Bundle(answer.json(), strict=True)  # raises for what R4 does not have
    assert bundle.type == "collection"
    assert bundle.timestamp.isostring == "2026-01-02T00:00:00+00:00"
    brand, endpoint = (entry.resource for entry in bundle.entry)
    assert (brand.resource_type, endpoint.resource_type) == ("Organization", "Endpoint")
    assert endpoint.address == FHIR
    assert brand.endpoint[0].reference == f"Endpoint/{endpoint.id}"
    assert brand.active is True
    assert brand.meta.lastUpdated.isostring == bundle.timestamp.isostring
    told = smart_configuration(host.wiring)
    assert told["user_access_brand_bundle"] == f"{ISSUER}/brands.json"
    assert told["user_access_brand_identifier"] == {"system": "urn:ietf:rfc:3986", "value": "https://clinic.example"}
    assert [identifier.as_json() for identifier in brand.identifier] == [told["user_access_brand_identifier"]]


async def test_without_a_brand_nothing_is_named(host):
    async with host.browser() as browser:
        assert (await browser.get("/brands.json")).status_code == 404
    assert "user_access_brand_bundle" not in smart_configuration(host.wiring)


async def test_a_file_says_everything_of_a_brand_that_the_profiles_want_supported(app_pool, tmp_path):
    file = tmp_path / "brand.toml"
    file.write_text(
        'name = "Clinique du Lac"\naliases = ["Lac"]\nwebsite = "https://lac.example"\ncategories = ["clinical"]\n'
        'logo = "https://lac.example/logo.svg"\nlogo_license = "https://lac.example/l"\nportal_name = "Mon Lac"\n'
        'portal_description = "Pour *tous*."\nportal_url = "https://mon.lac.example"\n'
        'portal_logo = "https://lac.example/p.svg"\nportal_logo_license = "https://lac.example/p"\n'
        'developer_url = "https://dev.lac.example"\nbrand_bundle = "https://lac.example/b"\nendpoint_name = "R4"\n'
        '[[identifiers]]\nsystem = "urn:oid:1.2.250.1.71.4.2.2"\nvalue = "1750000001"\n'
        '[[addresses]]\nline = ["1 quai"]\ncity = "Annecy"\npostalCode = "74000"\ncountry = "FR"\n'
    )
    host = Host(app_pool, brand=brand_from(file, CLINIC))
    async with host.browser() as browser:
        document = (await browser.get("/brands.json")).json()
    Bundle(document, strict=True)
    brand, endpoint = (entry["resource"] for entry in document["entry"])
    assert brand["identifier"] == [{"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "1750000001"}]
    assert brand["address"][0]["city"] == "Annecy"
    told = {part["url"]: part for extension in brand["extension"] for part in extension["extension"]}
    assert set(told) == {"brandLogo", "brandLogoLicense", "brandBundle", "portalName", "portalDescription", "portalUrl",
                         "portalLogo", "portalLogoLicense", "portalEndpoint"}  # fmt: skip
    assert endpoint["contact"][0]["value"] == "https://dev.lac.example"
    assert "data-absent-reason" not in str(document)


@pytest.mark.parametrize(
    "text",
    ["name = 1", "nom = 'x'", "name = ''", "categories = ['shop']", "aliases = 'x'", "identifiers = []", "logo = 'x'",
     "identifiers = [{system = 'a'}]", "addresses = [{}]", "addresses = [{town = 'x'}]", "addresses = [{line = 'x'}]",
     "identifiers = [{system='a',value='b'},{system='a',value='b'}]", "[", "\xff"],
)  # fmt: skip
def test_a_file_that_says_no_brand_is_refused_with_what_is_wrong(tmp_path, text):
    file = tmp_path / "brand.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadBrand, match=r"brand\.toml: "):
        brand_from(file, CLINIC)
