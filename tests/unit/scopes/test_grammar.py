"""SMART v2 scope grammar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_catalog.scopes.grammar import LETTERS, Constraint, Scope, parse, parse_one

TYPES = st.sampled_from(["Observation", "Device", "Patient", "*"])
TOKENS = st.text(
    st.characters(codec="ascii", exclude_characters='",\\ ', min_codepoint=0x21, max_codepoint=0x7E), min_size=1
)
CONSTRAINTS = st.builds(
    lambda parameter, values: Constraint(parameter, tuple(sorted(values))),
    st.sampled_from(["code", "code:in", "category"]),
    st.sets(TOKENS, min_size=1, max_size=3),
)
SCOPES = st.builds(
    lambda level, kind, letters, constraints: Scope(
        level, kind, "".join(x for x in LETTERS if x in letters), tuple(sorted(constraints))
    ),
    st.sampled_from(["patient", "user", "system"]),
    TYPES,
    st.sets(st.sampled_from(LETTERS), min_size=1),
    st.sets(CONSTRAINTS, max_size=2),
)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("patient/Observation.rs", "patient/Observation.rs"),
        ("patient/*.cruds", "patient/*.cruds"),
        ("user/Device.r", "user/Device.r"),
        ("patient/Observation.read", "patient/Observation.read"),
        ("patient/Observation.*", "patient/Observation.*"),
        ("patient/Observation.rs?code=b,a,a", "patient/Observation.rs?code=a,b"),
        ("patient/Observation.rs?code=b&category=x", "patient/Observation.rs?category=x&code=b"),
        (
            "patient/Observation.rs?category=http%3A%2F%2Fterminology.hl7.org%2Fx%7Cvital-signs",
            "patient/Observation.rs?category=http://terminology.hl7.org/x|vital-signs",
        ),
        (
            "patient/Observation.rs?code:in=http://example.org/ValueSet/glucose",
            "patient/Observation.rs?code:in=http://example.org/ValueSet/glucose",
        ),
        ("http://smarthealthit.org/fhir/scopes/patient/Device.rs", "patient/Device.rs"),
    ],
)
def test_a_scope_has_one_normal_spelling(text, normal):
    assert str(parse(text)) == normal


def test_v1_words_mean_their_v2_letters():
    scopes = parse("patient/Observation.read patient/Observation.write patient/Device.*").resources
    assert [scope.letters for scope in scopes] == ["rs", "cud", "cruds"]


@pytest.mark.parametrize(
    "text",
    [
        "patient/Observation",
        "patient/Observation.",
        "patient/Observation.sr",
        "patient/Observation.rr",
        "patient/Observation.x",
        "patient/observation.rs",
        "practitioner/Observation.rs",
        "patient/Observation.rs?",
        "patient/Observation.rs?code=",
        "patient/Observation.rs?code",
        "patient/Observation.rs?status=final",
        "patient/Observation.rs?code:not=a",
        "patient/Observation.rs?code=a,",
        "patient/Observation.rs?code=%ff",
        "patient/Observation.rs?code=é",
        "patient/Observation.rs?code=a%20b",
        "patient/Observation.rs?code=a+b",
        "patient/Observation.rs?code=" + "a" * 3000,
        "Patient/Observation.rs",
        "patient/Observation.rs#x",
        "launch/encounter",
    ],
)
def test_what_is_not_a_scope_of_ours_is_listed_as_unknown(text):
    scopes = parse(text)
    assert not scopes
    assert scopes.unknown == (text,)


def test_context_scopes_are_kept_apart():
    scopes = parse("launch/patient offline_access openid fhirUser patient/Observation.rs")
    assert scopes.context == {"launch/patient", "offline_access", "openid", "fhirUser"}
    assert scopes.offline
    assert scopes.concerns_a_patient
    assert not parse("user/Observation.rs").concerns_a_patient


@given(SCOPES)
def test_what_is_written_is_parsed_back(scope):
    assert parse_one(str(scope)) == scope


@given(st.text())
def test_any_text_parses_without_an_error(text):
    scopes = parse(text)
    assert len(scopes.unknown) + len(scopes.resources) + len(scopes.context) <= len(text.split())
    assert parse(str(scopes)) == parse(str(parse(str(scopes))))
