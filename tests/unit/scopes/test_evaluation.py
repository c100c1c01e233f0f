"""What scopes allow for a resource."""

from app_catalog.scopes.evaluation import ALL, allowed_codes, covers
from app_catalog.scopes.grammar import parse

GLUCOSE, WEIGHT = "http://loinc.org|2345-7", "http://loinc.org|29463-7"
VITAL = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"
VALUE_SETS = {"glucose": frozenset({GLUCOSE, "http://loinc.org|2339-0"})}
CATEGORIES = {VITAL: frozenset({WEIGHT})}


def scopes(text):
    parsed = parse(text)
    assert not parsed.unknown
    return parsed.resources


def test_letters_and_types_are_needed_both():
    granted = scopes("patient/Observation.rs patient/Device.r")
    assert covers(granted, "Observation", "s", codes=[GLUCOSE])
    assert covers(granted, "Device", "r")
    assert not covers(granted, "Device", "s")
    assert not covers(granted, "Observation", "c")
    assert not covers(granted, "Patient", "r")


def test_a_wildcard_covers_every_type():
    assert covers(scopes("patient/*.r"), "Anything", "r")


def test_a_code_limits_to_its_resources():
    granted = scopes(f"patient/Observation.rs?code={GLUCOSE}")
    assert covers(granted, "Observation", "r", codes=[WEIGHT, GLUCOSE])
    assert not covers(granted, "Observation", "r", codes=[WEIGHT])
    assert not covers(granted, "Observation", "r")


def test_a_token_with_a_system_matches_no_other_system():
    granted = scopes(f"patient/Observation.r?code={GLUCOSE}")
    assert not covers(granted, "Observation", "r", codes=["http://example.org|2345-7", "2345-7"])
    assert covers(scopes("patient/Observation.r?code=2345-7"), "Observation", "r", codes=[GLUCOSE])


def test_value_sets_are_resolved_by_name_and_unknown_names_match_nothing():
    granted = scopes("patient/Observation.rs?code:in=glucose")
    assert covers(granted, "Observation", "r", codes=[GLUCOSE], value_sets=VALUE_SETS)
    assert not covers(granted, "Observation", "r", codes=[WEIGHT], value_sets=VALUE_SETS)
    assert not covers(granted, "Observation", "r", codes=[GLUCOSE])
    assert covers(scopes(f"patient/Observation.r?code:in={WEIGHT},glucose"), "Observation", "r", codes=[WEIGHT])


def test_all_parameters_of_a_scope_have_to_match():
    granted = scopes(f"patient/Observation.rs?category={VITAL}&code={WEIGHT}")
    assert covers(granted, "Observation", "r", codes=[WEIGHT], categories=[VITAL])
    assert not covers(granted, "Observation", "r", codes=[WEIGHT])
    assert not covers(granted, "Observation", "r", codes=[GLUCOSE], categories=[VITAL])


def test_scopes_are_a_union():
    granted = scopes(f"patient/Observation.rs?code={WEIGHT} patient/Observation.rs?code:in=glucose")
    assert allowed_codes(granted, "Observation", "s", value_sets=VALUE_SETS) == {WEIGHT, *VALUE_SETS["glucose"]}
    assert allowed_codes((*granted, *scopes("patient/Observation.s")), "Observation", "s") == ALL


def test_codes_of_a_category_are_those_that_the_host_names():
    granted = scopes(f"patient/Observation.rs?category={VITAL}")
    assert allowed_codes(granted, "Observation", "r", categories=CATEGORIES) == {WEIGHT}
    assert allowed_codes(granted, "Observation", "r") == frozenset()
    assert allowed_codes(granted, "Observation", "c", categories=CATEGORIES) == frozenset()


def test_two_lists_of_codes_allow_what_they_share():
    granted = scopes(f"patient/Observation.rs?code={WEIGHT},{GLUCOSE}&code=2345-7")
    assert allowed_codes(granted, "Observation", "r") == {GLUCOSE}
