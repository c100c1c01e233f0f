"""How the API behaves: every answer is FHIR, every error says what to change, metadata tells what is served."""

import pytest
from catalogue_host import FHIR, ISSUER
from fhir_world import link, matches

AT = "2026-11-21T07:31:05+01:00"


def issue(response):
    assert response.headers["content-type"] == "application/fhir+json; charset=utf-8"
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    (only,) = outcome["issue"]
    assert only["severity"] == "error"
    return only


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "", 404, "not-supported"),
        ("GET", "Encounter/p1", 404, "not-supported"),
        ("GET", "observation", 404, "not-supported"),
        ("GET", "Observation/r.x/_history/1", 404, "not-found"),
        ("GET", "Observation/%00", 404, "not-found"),
        ("POST", "Observation", 405, "not-supported"),
        ("PUT", "Observation/r.x", 405, "not-supported"),
        ("DELETE", "Device/d.x", 405, "not-supported"),
        ("GET", "Observation/_search", 405, "not-supported"),
        ("POST", "metadata", 405, "not-supported"),
        ("GET", "Observation?date=yesterday", 400, "invalid"),
        ("GET", "Observation?code=%ff", 400, "invalid"),
        ("GET", "Observation?_page=r.nonsense", 400, "invalid"),
        ("GET", "Device?_sort=date&colour=blue&_count=x", 400, "invalid"),
        ("GET", "Observation?_format=xml", 406, "not-supported"),
    ],
)
async def test_errors_are_operation_outcomes(world, method, path, status, code):
    ana = await world.session("weight")
    response = await ana.get(path, method=method)
    assert response.status_code == status
    assert issue(response)["code"] == code
    if status == 405:
        assert response.headers["allow"]


async def test_a_bad_parameter_is_named_with_what_to_change(world):
    ana = await world.session("weight")
    told = issue(await ana.get("Observation?date=2026-13"))
    assert told["expression"] == ["http.date"]
    assert told["diagnostics"] == "there is no such date or time"


async def test_unknown_parameters_are_left_out_and_told_or_refused(world):
    ana = await world.session("weight")
    ana.space.put("body-weight", "72.40", AT)
    bundle = await ana.search("Observation?colour=blue&code=29463-7")
    assert len(matches(bundle)) == 1
    (told,) = matches(bundle, "outcome")
    assert "colour" in told["issue"][0]["diagnostics"]
    assert link(bundle, "self") == f"{FHIR}/Observation?code=29463-7"
    strict = await ana.get("Observation?colour=blue", headers={"Prefer": "handling=strict"})
    assert strict.status_code == 400
    assert issue(strict)["expression"] == ["http.colour"]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/fhir+json", 200),
        ("application/json;q=0.9, text/html", 200),
        ("text/html, */*;q=0.1", 200),
        ("application/fhir+xml", 406),
        ("application/fhir+json;q=0, text/html", 406),
    ],
)
async def test_json_is_served_to_whom_it_may_concern(world, accept, status):
    ana = await world.session("weight")
    assert (await ana.get("Observation", headers={"Accept": accept})).status_code == status
    assert (await ana.get("Observation?_format=json", headers={"Accept": accept})).status_code == 200


async def test_search_by_post_is_search_by_get(world):
    ana = await world.session("weight")
    ana.space.put("body-weight", "72.40", AT)
    posted = await ana.get("Observation/_search?_count=5", method="POST", data={"code": "29463-7"})
    assert posted.status_code == 200
    assert posted.json() == await ana.search("Observation?_count=5&code=29463-7")
    wrong = await ana.get("Observation/_search", method="POST", json={"code": "29463-7"})
    assert wrong.status_code == 415
    assert issue(wrong)["diagnostics"]
    large = await ana.get("Observation/_search", method="POST", data={"code": "x" * 70_000})
    assert large.status_code == 413


async def test_head_answers_as_get_without_the_body(world):
    ana = await world.session("weight")
    reading = ana.space.put("body-weight", "72.40", AT)
    for path in ("Observation", f"Observation/{reading}", "metadata"):
        whole, head = await ana.get(path), await ana.get(path, method="HEAD")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["content-type"] == "application/fhir+json; charset=utf-8"


async def test_a_version_that_is_known_is_not_sent_again(world):
    ana = await world.session("weight")
    reading = ana.space.put("body-weight", "72.40", AT)
    first = await ana.get(f"Observation/{reading}")
    assert first.headers["etag"] == 'W/"1"'
    again = await ana.get(f"Observation/{reading}", headers={"If-None-Match": 'W/"1"'})
    assert (again.status_code, again.content) == (304, b"")
    ana.space.put("body-weight", "72.60", AT, version=2)
    changed = await ana.get(f"Observation/{reading}", headers={"If-None-Match": 'W/"1"'})
    assert changed.status_code == 200


async def test_answers_are_kept_by_no_cache_and_open_to_browser_apps(world):
    ana = await world.session("weight")
    response = await ana.get("Observation", headers={"Origin": "https://app.example"})
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    preflight = await world.client.options(
        f"{FHIR}/Observation",
        headers={"Origin": "https://app.example", "Access-Control-Request-Method": "GET"},
    )
    assert preflight.status_code == 204
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()


async def test_the_capability_statement_lists_what_is_served_and_nothing_else(world):
    statement = (await world.client.get(f"{FHIR}/metadata")).json()
    (rest,) = statement["rest"]
    ana = await world.session("everything")
    for resource in rest["resource"]:
        for parameter in resource["searchParam"]:
            value = {"date": "2026", "reference": "Patient/x", "token": "x"}[parameter["type"]]
            answer = await ana.get(
                f"{resource['type']}?{parameter['name']}={value}", headers={"Prefer": "handling=strict"}
            )
            assert answer.status_code == 200, parameter
    assert [each["type"] for each in rest["resource"]] == ["Observation", "Device", "Patient"]
    (uris,) = rest["security"]["extension"]
    assert {each["url"]: each["valueUri"] for each in uris["extension"]} == {
        name: f"{ISSUER}/oauth/{name}" for name in ("authorize", "token", "revoke", "introspect")
    }


async def test_smart_configuration_is_json_for_everyone(world):
    response = await world.client.get(f"{FHIR}/.well-known/smart-configuration", headers={"Accept": "text/html"})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.json()["token_endpoint"] == f"{ISSUER}/oauth/token"
    statement = await world.client.get(f"{FHIR}/metadata", headers={"Origin": "https://any.example"})
    assert (statement.status_code, statement.headers["access-control-allow-origin"]) == (200, "*")


async def test_a_defect_of_ours_shows_nothing_of_the_inside(world, owner_url):
    ana = await world.session("weight")
    ana.space.put("body-weight", "72.40", AT)
    ana.space._execute("UPDATE gateway.reading SET flags = 255")  # a unit that the catalogue does not have
    response = await ana.get("Observation")
    assert response.status_code == 500
    assert issue(response) == {
        "severity": "error", "code": "exception", "diagnostics": "Something went wrong on our side.",
    }  # fmt: skip


async def test_when_the_database_is_away_clients_are_told_to_come_back(world):
    ana = await world.session("weight")
    await world.host.pool.close()
    response = await ana.get("Observation")
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert issue(response)["code"] == "transient"


HOSTILE = [
    "", "%00", "%C3%A9", "%25", "|", "%5C", "x" * 5000, "*", "'", "0", "-1", "9" * 30, "1e5", "9999-12-31", "0001",
    "lt0001-01-01T00:00%2B14:00", "gt9999-12-31T23:59-14:00", "ap9999", "r." + "a" * 52, "r." + "7" * 51 + "q",
    "d.00000000-0000-0000-0000-000000000000", "urn:uuid:x", "Patient/../x",
]  # fmt: skip


async def test_no_value_of_any_parameter_is_an_error_of_ours(world):
    ana = await world.session("everything")
    ana.space.put("body-weight", "72.40", AT, device=ana.space.device())
    names = [
        "_id",
        "code",
        "category",
        "date",
        "device",
        "patient",
        "subject",
        "_count",
        "_sort",
        "_page",
        "_include",
        "x",
    ]
    for value in HOSTILE:
        paths = [f"Observation?{name}={value}" for name in names]
        for path in [*paths, f"Device?_id={value}&_page={value}", f"Observation/{value}", f"Device/{value}"]:
            response = await ana.get(path)
            assert response.status_code < 500, path
            assert response.json()["resourceType"] in {"Bundle", "OperationOutcome"}
