"""The decision point: every condition alone can refuse, and says why."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from app_catalog import AppGrant, ConsentedPurpose, Status, parse_scopes
from device_gateway.access import (
    App,
    Deny,
    DeviceOf,
    ObservationOf,
    Patient,
    Permit,
    System,
    decide,
    readable_metrics,
)
from device_gateway.metrics import METRICS

SPACE = UUID(int=1)
WEIGHT = "patient/Observation.rs?code=http://loinc.org|29463-7"
GLUCOSE = "patient/Observation.rs?code=http://loinc.org|2345-7"
WEIGHT_OF_ANA = ObservationOf(SPACE, "body-weight")
GLUCOSE_OF_ANA = ObservationOf(SPACE, "blood-glucose")


def purpose(key, scope):
    return ConsentedPurpose(key, {"fr": f"Finalité {key}", "en": f"Purpose {key}"}, parse_scopes(scope).resources)


def app(scope=WEIGHT, *consented, **changes):
    grant = AppGrant(
        app_id=uuid4(), app_name="Glyco+", client_id="c", grant_id=uuid4(), pairing_id=uuid4(), subject=SPACE,
        person=uuid4(), scopes=parse_scopes(scope).resources,
        consented=consented or (purpose("all", "patient/*.cruds"),), status=Status.ONLINE, refusal=None,
    )  # fmt: skip
    return App(replace(grant, **changes))


def test_scope_and_consent_together_permit_and_name_the_purpose():
    asking = app(f"{WEIGHT} {GLUCOSE}", purpose("weight", WEIGHT), purpose("follow-up", f"{WEIGHT} {GLUCOSE}"))
    decision = decide(asking, "read", WEIGHT_OF_ANA)
    assert isinstance(decision, Permit)
    assert [each.key for each in decision.purposes] == ["weight", "follow-up"]
    assert [each.key for each in decide(asking, "search", GLUCOSE_OF_ANA).purposes] == ["follow-up"]


@pytest.mark.parametrize("refusal", ["grant revoked", "token revoked", "token expired", "app suspended"])
def test_a_token_that_no_longer_works_is_unauthorised_with_its_reason(refusal):
    assert decide(app(refusal=refusal), "read", WEIGHT_OF_ANA) == Deny(refusal, unauthorised=True)


@pytest.mark.parametrize(
    ("asking", "resource", "reason"),
    [
        (app(), ObservationOf(UUID(int=2), "body-weight"), "other space"),
        (app(GLUCOSE), WEIGHT_OF_ANA, "no scope"),
        (app(f"{WEIGHT} {GLUCOSE}", purpose("weight", WEIGHT)), GLUCOSE_OF_ANA, "no consent"),
        (app("patient/Observation.c"), WEIGHT_OF_ANA, "no scope"),
        (app("patient/Observation.s"), WEIGHT_OF_ANA, "no scope"),
        (app(WEIGHT), DeviceOf(SPACE, frozenset({"body-weight"})), "no scope"),
        (app(f"{WEIGHT} patient/Device.rs"), DeviceOf(SPACE, frozenset({"blood-glucose"})), "not referenced"),
        (app("patient/*.rs"), DeviceOf(SPACE, frozenset()), "not referenced"),
    ],
)
def test_everything_else_looks_absent(asking, resource, reason):
    assert decide(asking, "read", resource) == Deny(reason)


def test_a_device_is_seen_through_one_reading_that_may_be_read():
    asking = app(f"{WEIGHT} patient/Device.rs")
    decision = decide(asking, "search", DeviceOf(SPACE, frozenset({"blood-glucose", "body-weight"})))
    assert isinstance(decision, Permit)


def test_reading_and_searching_are_granted_apart():
    asking = app("patient/Observation.r")
    assert isinstance(decide(asking, "read", WEIGHT_OF_ANA), Permit)
    assert decide(asking, "search", WEIGHT_OF_ANA) == Deny("no scope")


@pytest.mark.parametrize(
    ("scope", "metrics"),
    [
        ("patient/*.rs", set(METRICS)),
        ("patient/Observation.read", set(METRICS)),
        (WEIGHT, {"body-weight"}),
        ("patient/Observation.rs?code:in=blood-glucose,hba1c", {"blood-glucose", "hba1c"}),
        (
            "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
            {"hba1c"},
        ),
        ("patient/Device.rs", set()),
    ],
)
def test_a_query_is_narrowed_to_the_metrics_that_may_be_seen(scope, metrics):
    assert readable_metrics(app(scope)) == metrics


def test_a_patient_sees_the_own_space_and_no_other():
    ana = Patient(SPACE, uuid4(), "Ana")
    assert decide(ana, "read", WEIGHT_OF_ANA) == Permit()
    assert decide(ana, "read", ObservationOf(UUID(int=2), "body-weight")) == Deny("other space")
    assert readable_metrics(ana) == set(METRICS)


def test_the_product_itself_may_work_in_any_space():
    assert decide(System("roll-up"), "read", WEIGHT_OF_ANA) == Permit()
