"""Narrowing never allows more than both sides, and evaluation agrees with it."""

from hypothesis import given
from hypothesis import strategies as st

from app_catalog.scopes.evaluation import covers
from app_catalog.scopes.grammar import LETTERS, Constraint, Scope, Scopes, parse
from app_catalog.scopes.narrowing import includes, is_within, narrow, normal_form, union

CODES = ["http://loinc.org|2345-7", "http://loinc.org|29463-7", "2345-7"]
CATEGORIES = ["http://terminology.hl7.org|vital-signs", "laboratory"]
CONSTRAINTS = st.one_of(
    st.builds(lambda v: Constraint("code", tuple(sorted(v))), st.sets(st.sampled_from(CODES), min_size=1)),
    st.builds(lambda v: Constraint("category", tuple(sorted(v))), st.sets(st.sampled_from(CATEGORIES), min_size=1)),
)
SCOPES = st.builds(
    lambda level, kind, letters, constraints, v1: Scope(
        level, kind, "".join(x for x in LETTERS if x in letters), tuple(sorted(constraints)), v1
    ),
    st.sampled_from(["patient", "user"]),
    st.sampled_from(["Observation", "Device", "*"]),
    st.sets(st.sampled_from(LETTERS), min_size=1),
    st.sets(CONSTRAINTS, max_size=2),
    st.booleans(),
)
SETS = st.builds(
    lambda scopes, context: Scopes(tuple(scopes), frozenset(context)),
    st.lists(SCOPES, max_size=3),
    st.sets(st.sampled_from(["launch/patient", "offline_access"])),
)
RESOURCES = st.tuples(
    st.sampled_from(["Observation", "Device"]),
    st.sampled_from(LETTERS),
    st.sets(st.sampled_from(["http://loinc.org|2345-7", "http://loinc.org|29463-7", "http://snomed.info|1"])),
    st.sets(st.sampled_from(["http://terminology.hl7.org|vital-signs", "http://terminology.hl7.org|laboratory"])),
)


def allows(scopes, level, resource):
    kind, letter, codes, categories = resource
    levels = [scope for scope in scopes.resources if scope.level == level]
    return covers(levels, kind, letter, codes=codes, categories=categories)


@given(SETS, SETS, RESOURCES, st.sampled_from(["patient", "user"]))
def test_narrowing_allows_nothing_that_a_side_does_not_allow(one, other, resource, level):
    both = allows(one, level, resource) and allows(other, level, resource)
    assert both or not allows(narrow(one, other), level, resource)


@given(SETS, SETS, RESOURCES, st.sampled_from(["patient", "user"]))
def test_of_a_resource_with_one_code_and_one_category_narrowing_allows_all_that_both_allow(one, other, resource, level):
    kind, letter, codes, categories = resource
    single = (kind, letter, sorted(codes)[:1], sorted(categories)[:1])
    both = allows(one, level, single) and allows(other, level, single)
    assert allows(narrow(one, other), level, single) == both


def test_scopes_for_different_codes_have_nothing_in_common():
    assert not narrow(parse("patient/Observation.rs?code=a"), parse("patient/Observation.rs?code=b"))
    assert str(narrow(parse("patient/Observation.rs?code=a,b"), parse("patient/Observation.rs?code=b,c"))) == (
        "patient/Observation.rs?code=b"
    )
    assert str(narrow(parse("patient/Observation.r?code=s|a"), parse("patient/Observation.r?code=a"))) == (
        "patient/Observation.r?code=s|a"
    )


@given(SETS, SETS)
def test_narrowing_does_not_depend_on_the_order_of_its_sides(one, other):
    assert str(narrow(one, other)) == str(narrow(other, one))


@given(SETS, RESOURCES)
def test_the_normal_form_allows_the_same(scopes, resource):
    assert allows(Scopes(normal_form(scopes.resources)), "patient", resource) == allows(scopes, "patient", resource)


@given(st.lists(SCOPES, max_size=4), st.randoms())
def test_the_normal_form_does_not_depend_on_the_order_of_the_text(scopes, random):
    shuffled = list(scopes)
    random.shuffle(shuffled)
    assert normal_form(shuffled) == normal_form(scopes)


@given(SCOPES, SCOPES, RESOURCES)
def test_a_scope_that_includes_another_allows_all_that_it_allows(wide, narrow_scope, resource):
    if includes(wide, narrow_scope) and allows(Scopes((narrow_scope,)), narrow_scope.level, resource):
        assert allows(Scopes((wide,)), wide.level, resource)


@given(SETS, SETS)
def test_what_was_narrowed_is_within_what_was_granted(one, other):
    narrowed = narrow(one, other)
    assert is_within(narrowed, union([one, narrowed]))


def test_a_broad_request_is_narrowed_to_what_the_app_is_registered_for():
    registered = parse("patient/Observation.rs?code=http://loinc.org|2345-7 patient/Device.r launch/patient")
    wanted = parse("launch/patient offline_access patient/*.rs nonsense")
    assert str(narrow(wanted, registered)) == (
        "launch/patient patient/Device.r patient/Observation.rs?code=http://loinc.org|2345-7"
    )


def test_the_v1_spelling_stays_where_nothing_was_taken_away():
    assert str(narrow(parse("patient/Observation.read"), parse("patient/Observation.rs"))) == "patient/Observation.read"
    assert str(narrow(parse("patient/Observation.read"), parse("patient/Observation.r"))) == "patient/Observation.r"


def test_a_request_for_more_than_granted_is_not_within():
    granted = parse("patient/Observation.rs?code=a,b offline_access")
    assert is_within(parse("patient/Observation.r?code=a"), granted)
    assert not is_within(parse("patient/Observation.rs"), granted)
    assert not is_within(parse("patient/Observation.rs?code=c"), granted)
    assert not is_within(parse("patient/Observation.c?code=a"), granted)
    assert not is_within(parse("launch/patient"), granted)
    assert not is_within(parse("offline_access nonsense"), granted)
