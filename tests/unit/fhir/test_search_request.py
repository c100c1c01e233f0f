"""From parameters to what is searched for, with an error that names the parameter for everything else."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_gateway.fhir.errors import BadParameter, BadQuery, UnknownParameter
from device_gateway.fhir.observations import OBSERVATION
from device_gateway.fhir.search_request import MOST_COUNT, decode_pairs, parse_search
from device_gateway.fhir.search_values import Reference, Token, alternatives, parse_reference, parse_token
from device_gateway.fhir.served import SearchInput

BASE = "https://gateway.example/fhir"
NAMES = [
    *(parameter.name for parameter in OBSERVATION.parameters),
    "_count", "_sort", "_total", "_summary", "_include", "_page", "date:missing", "code:in", "unknown", "",
]  # fmt: skip


def parsed(*pairs, strict=False):
    return parse_search(OBSERVATION, SearchInput(pairs, strict), BASE)


def test_commas_are_alternatives_and_repetition_means_both():
    request = parsed(("code", "http://loinc.org|2345-7,29463-7"), ("code", "29463-7"))
    assert request.tokens["code"] == [
        [Token("http://loinc.org", "2345-7"), Token(None, "29463-7")],
        [Token(None, "29463-7")],
    ]


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("a", Token(None, "a")),
        ("s|a", Token("s", "a")),
        ("s|", Token("s", None)),
        ("|a", Token("", "a")),
        (r"s\|x|a\,b\\", Token("s|x", r"a,b" + "\\")),
    ],
)
def test_tokens_in_all_their_spellings(text, token):
    assert parse_token(text) == token


def test_escaped_commas_do_not_separate():
    assert alternatives(r"a\,b,c,,\\,d") == [r"a\,b", "c", r"\\", "d"]


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("p1", Reference(None, "p1")),
        ("Patient/p1", Reference("Patient", "p1")),
        (f"{BASE}/Patient/p1", Reference("Patient", "p1")),
        ("https://elsewhere.example/fhir/Patient/p1", None),
        ("urn:uuid:3f2504e0-4f89-41d3-9a0c-0305e82c3301", None),
    ],
)
def test_references_in_all_their_spellings(text, reference):
    assert parse_reference(text, BASE) == reference


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date", "yesterday"),
        ("date", "2026-11-21,nonsense"),
        ("code", "a|b|c"),
        ("code", "|"),
        ("patient", "Patient/a/b"),
        ("device", "Device/ü"),
        ("_count", "-1"),
        ("_count", "many"),
        ("_count", "١"),
        ("_sort", "weight"),
        ("_total", "all"),
        ("_summary", "short"),
        ("_include", "Observation:performer"),
        ("_include", "*"),
        ("code:in", "http://vs.example"),
        ("date:missing", "true"),
        ("subject:Group", "g1"),
        ("code", ",".join(map(str, range(60)))),
    ],
)
def test_a_malformed_value_is_refused_with_its_parameter(name, value):
    with pytest.raises(BadParameter) as caught:
        parsed((name, value))
    assert caught.value.expression == f"http.{name.partition(':')[0]}"
    assert caught.value.http_status == 400


def test_a_result_parameter_is_given_once():
    with pytest.raises(BadParameter, match="once"):
        parsed(("_count", "1"), ("_count", "2"))


def test_what_is_unknown_is_left_out_or_refused_as_the_client_prefers():
    request = parsed(("colour", "blue"), ("_lastUpdated", "2026"), ("code", ""), ("_summary", "true"), ("_count", "5"))
    assert request.ignored == ["colour", "_lastUpdated", "code", "_summary"]
    assert request.applied == [("_count", "5")]
    with pytest.raises(UnknownParameter, match="not supported"):
        parsed(("colour", "blue"), strict=True)


def test_a_page_is_never_longer_than_the_limit():
    assert parsed(("_count", "5000")).count == MOST_COUNT
    assert parsed(("_count", "0")).count_only


def test_links_carry_what_was_applied_and_the_page():
    request = parsed(("code", "http://loinc.org|2345-7"), ("colour", "blue"), ("_page", "r.x"))
    assert request.link(f"{BASE}/Observation") == f"{BASE}/Observation?code=http%3A%2F%2Floinc.org%7C2345-7"
    assert request.link("u", "r.y").endswith("&_page=r.y")


@pytest.mark.parametrize("query", [b"code=%ff", b"code=%00", b"\xc3=1", b"&".join([b"a=1"] * 65)])
def test_a_query_that_cannot_be_decoded_is_refused(query):
    with pytest.raises(BadQuery):
        decode_pairs(query)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=30)), max_size=6), st.booleans())
def test_whatever_is_asked_is_understood_or_refused_as_fhir(pairs, strict):
    try:
        request = parse_search(OBSERVATION, SearchInput(decode_pairs(urlencode(pairs).encode()), strict), BASE)
    except (BadParameter, BadQuery):
        return
    assert parse_qsl(urlencode(request.applied), keep_blank_values=True) == request.applied
