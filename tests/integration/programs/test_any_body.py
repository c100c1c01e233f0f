"""Bodies that are not what they should be: an answer that says what to change, never a failure."""

import json

import pytest
from catalogue_host import Somebody
from program import PDF, organisation, program

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def ci(host):
    owner = Somebody("vendor")
    return await program(host, owner, await organisation(host, owner))


async def test_a_body_that_cannot_be_read_is_refused_with_the_reason(ci):
    draft = await ci.begin()
    for content, headers, status in (
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {}, 415),
        (b"", JSON, 400),
        (b"{", JSON, 400),
        (b'{"identity": {"name": "\xff"}}', JSON, 400),
        ('{"identity": {}}'.encode("utf-16"), JSON, 400),
        (b'{"identity": {}, "identity": {}}', JSON, 400),
        (b'{"purposes": [{"retention_days": NaN}]}', JSON, 400),
        (b"[" * 20_000, JSON, 400),
        (b'{"purposes": [{"retention_days": ' + b"9" * 5_000 + b"}]}", JSON, 400),
        (b'{"identity": {"name": "' + b"a" * 600_000 + b'"}}', JSON, 413),
        (b"null", JSON, 422),
        (b"[]", JSON, 422),
        (b'{"identity": {"name": "\\u0000"}}', JSON, 422),
        (b'{"identity": {"name": "\\ud800"}}', JSON, 422),
        (b'{"criteria": {"\\u0000": {"answer": "met"}}}', JSON, 422),
        (b'{"purposes": [{"retention_days": 9999999999999999999999}]}', JSON, 422),
        (b'{"purposes": [{"retention_days": "7"}]}', JSON, 422),
        (b'{"identity": {"nom": "x"}}', JSON, 422),
        (b'{"client": {"redirect_uris": ["https://a.example/ https://b.example/"]}}', JSON, 422),
    ):
        answer = await ci.ask("PATCH", draft, content=content, headers=headers)
        assert answer.status_code == status, (content[:60], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
    assert (await ci.done("GET", draft))["identity"]["name"] == "Poids & Co"


async def test_every_fault_has_its_place(ci):
    draft = await ci.begin()
    sections = {
        "identity": {"name": 7, "links": {"blog": "https://x"}},
        "purposes": [{}, {"name": {"de": "x"}, "a/b~c": 1}],
        "criteria": {"SEC-01": {"answer": "yes"}},
    }
    found = {one["pointer"] for one in (await ci.ask("PATCH", draft, sections)).json()["errors"]}
    assert found == {
        "/identity/name", "/identity/links/blog", "/purposes/1/name/de", "/purposes/1/a~1b~0c",
        "/criteria/SEC-01/answer",
    }  # fmt: skip
    unknown = {"criteria": {"XYZ-1": {"answer": "met"}, "SEC-01": {"answer": "met", "document": "0" * 32}}}
    refused = await ci.ask("PATCH", draft, unknown)
    assert {one["pointer"] for one in refused.json()["errors"]} == {"/criteria/XYZ-1", "/criteria/SEC-01/document"}


async def test_files_are_what_their_bytes_say(ci):
    draft = await ci.begin()
    params = {"kind": "supporting", "name": "../../etc/pass\u202ewd.pdf"}
    good = {"Content-Type": "application/pdf"}
    for content, headers, query, status in (
        (PDF, {"Content-Type": "text/html"}, params, 415),
        (b"MZ\x00", good, params, 422),
        (b"", good, params, 422),
        (PDF, good, {"kind": "supporting"}, 422),
        (PDF, good, params | {"kind": "poem"}, 422),
        (PDF, good, params | {"name": "a\x00b"}, 422),
        (PDF + b" " * (10 << 20), good, params, 413),
    ):
        answer = await ci.ask("POST", f"{draft}/documents", content=content, headers=headers, params=query)
        assert answer.status_code == status, answer.text
    named = await ci.done("POST", f"{draft}/documents", content=PDF, headers=good, params=params)
    assert (named["name"], named["media_type"]) == ("passwd.pdf", "application/pdf")
    for content in (b"GIF89a", PDF, b"<svg/>"):
        answer = await ci.ask("PUT", f"{draft}/logo", content=content, headers={"Content-Type": "image/png"})
        assert answer.status_code == 422
    assert (await ci.ask("GET", f"{draft}/logo")).status_code == 404


async def test_what_a_person_had_typed_on_the_page_is_read_as_it_is(host, ci):
    """A draft may hold what the interface would refuse: it is shown with what is missing."""
    draft = await ci.begin()
    typed = {
        "identity": {"exchanges_data": "yes", "themes": ["x"], "links_site": "ftp://x", "saved": "yes"},
        "client": {"profile": "no such", "redirect_uris": " a\n b ", "id_token_signed_response_alg": "none"},
        "purposes": [{"id": "aa", "retention_days": "-3", "read_scope": "what"}],
        "criteria": {"SEC-01": {"answer": "perhaps", "explanation": "", "document": ""}, "OLD-1": {}},
    }
    async with host.pool.connection() as connection:
        await connection.execute(
            "UPDATE catalogue.application SET draft = %s WHERE id = %s", (json.dumps(typed), draft.split("/")[1])
        )
    shown = await ci.done("GET", draft)
    assert shown["client"]["redirect_uris"] == ["a", "b"]
    assert {"/client/profile", "/identity/links/site", "/purposes/0/retention_days", "/criteria/SEC-01"} <= {
        one["pointer"] for one in shown["missing"]
    }
