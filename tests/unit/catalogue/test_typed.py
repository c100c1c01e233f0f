"""What is typed into a draft, and the application that it makes: each gives the other back."""

from dataclasses import replace
from typing import Any

from catalogue_host import GLUCOSE_SCOPE, WEIGHT_SCOPE, application, purpose
from hypothesis import given
from hypothesis import strategies as st

from app_catalog import Answer, Choice
from app_catalog.applications.application import faults_of
from app_catalog.applications.difference import Side, difference
from app_catalog.applications.typed import answers_from, application_from, typed_of

CHOICES = (
    Choice("weight", {"fr": "poids", "en": "weight"}, WEIGHT_SCOPE),
    Choice("glucose", {"fr": "glycémie", "en": "glucose"}, GLUCOSE_SCOPE, "patient/Observation.c"),
)


def test_an_application_typed_again_is_the_same_application() -> None:
    described = application(
        launch_uri="https://app.example/launch",
        changes={"fr": "Neuf", "en": "New"},
        purposes=(purpose("a", read_scope=f"{WEIGHT_SCOPE} patient/Device.rs", write_scope="patient/Observation.c"),),
    )
    answers = {"SEC-01": Answer("met", "Yes.")}
    typed = typed_of(described, answers, CHOICES)
    assert typed["purposes"][0]["reads"] == ["weight"]
    assert typed["purposes"][0]["writes"] == ["glucose"]
    assert typed["purposes"][0]["read_scope"] == "patient/Device.rs"
    assert application_from(typed, CHOICES) == described
    assert answers_from(typed) == answers


@given(
    st.dictionaries(st.sampled_from(["name", "exchanges_data", "themes", "links_site", "economic_model"]), st.text())
)
def test_whatever_is_typed_makes_an_application_with_faults_rather_than_an_error(identity: dict[str, Any]) -> None:
    typed = {"identity": {**identity, "themes": [identity.get("themes", "x")]}, "purposes": [{"id": "a"}]}
    assert list(faults_of(application_from(typed, CHOICES)))


def test_a_difference_names_what_changed_and_nothing_else() -> None:
    before = application(purposes=(purpose("a", read_scope=WEIGHT_SCOPE), purpose("b", read_scope=GLUCOSE_SCOPE)))
    after = replace(
        before,
        description={"fr": "Montre le poids.", "en": "Shows your weight."},
        published=replace(before.published, economic_model="paid", themes=("AUTONOMIE",)),
        purposes=(replace(before.purposes[0], required=True), purpose("c", read_scope=GLUCOSE_SCOPE)),
    )
    sides = [
        Side(one, {"SEC-01": Answer(answer, "x")}, (), logo)
        for one, answer, logo in ((before, "met", None), (after, "not_applicable", b"\x01" * 32))
    ]
    assert difference(sides[0], sides[0]) == ()
    changes = difference(*sides)
    assert {(one.about, one.label) for one in changes if not one.about} == {
        ("", "Description in English"), ("", "Price"), ("", "Themes"), ("", "Logo"),
    }  # fmt: skip
    assert [(one.before, one.after) for one in changes if one.about == "a"] == [("no", "yes")]
    assert {one.after for one in changes if one.about == "b"} == {""}
    assert {one.before for one in changes if one.about == "c"} == {""}
    (answered,) = (one for one in changes if one.about == "SEC-01")
    assert (answered.before, answered.after, answered.translated) == ("met", "not applicable", True)
    described = next(one for one in changes if one.label == "Description in English")
    assert "".join(text for kind, text in described.pieces if kind != "new") == before.description["en"]
    assert "".join(text for kind, text in described.pieces if kind != "gone") == after.description["en"]
