from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

import app_catalog
from device_gateway.journal import EventName
from device_gateway.journal.reading_back import Entry
from device_gateway.portal.journal_words import COUNTED, PERMITTED, REFUSED, Names, sentence
from device_gateway.portal.words import Words

APP = UUID(int=7)
NAMES = Names({UUID(int=1): "Balance"}, {(APP, "weight"): "Suivre mon poids"})
PATIENT_EVENTS = [
    *EventName,
    *(name for name in app_catalog.EventName if name.split(":")[0] in ("consent", "oauth")),
]


def entry(event: str, **changes: Any) -> Entry:
    fields: dict[str, Any] = {
        "n": 1, "at": datetime(2026, 11, 21, tzinfo=UTC), "event": event, "actor_kind": "patient", "actor_id": None,
        "actor_name": "Camille", "purpose": None, "resource": None, "quantity": None, "outcome": "permit",
        "reason": None, "details": {}, **changes,
    }  # fmt: skip
    return Entry(**fields)


def french(one: Entry) -> str:
    return sentence(one, Words("fr", "UTC"), NAMES).replace("\u202f", " ").replace("\u00a0", " ")


def test_an_app_that_read_is_named_with_how_many_and_what() -> None:
    row = entry(
        EventName.APP_SEARCHED_OBSERVATIONS, actor_kind="app", actor_id=str(APP), actor_name="Glyco+", quantity=412,
        details={"metrics": ["blood-glucose", "hba1c"]},
    )  # fmt: skip
    assert french(row) == "Glyco+ a lu 412 mesures : glycémie, HbA1c."
    assert sentence(row, Words("en", "UTC"), NAMES) == "Glyco+ read 412 measurements: blood glucose, HbA1c."


def test_a_refused_app_is_named_with_the_reason() -> None:
    row = entry(
        EventName.APP_SEARCHED_OBSERVATIONS,
        actor_kind="app",
        actor_name="Glyco+",
        outcome="deny",
        reason="grant revoked",
    )
    assert french(row) == "Glyco+ : demande refusée, car vous avez mis fin à son accès."


def test_a_purpose_is_called_by_its_name_and_not_by_its_key() -> None:
    row = entry("consent:purpose:give", purpose="weight", resource=f"app/{APP}", details={"app": "Glyco+"})
    assert french(row) == "Vous avez donné votre accord à Glyco+ pour : Suivre mon poids."


def test_a_device_is_called_what_the_patient_calls_it() -> None:
    row = entry(EventName.DEVICE_SYNCED, actor_kind="device", actor_id=str(UUID(int=1)), actor_name="dg-scale")
    assert french(row) == "« Balance » a envoyé des mesures."


@pytest.mark.parametrize("event", PATIENT_EVENTS)
def test_every_event_that_a_patient_can_meet_has_a_sentence_of_its_own(event: str) -> None:
    assert event in PERMITTED or event in COUNTED or event in REFUSED or event == EventName.APP_REFUSED


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("outcome", ["permit", "deny"])
@pytest.mark.parametrize("event", [*PATIENT_EVENTS, "some:new:event"])
def test_every_event_can_be_told_in_both_outcomes(event: str, outcome: str, language: Any) -> None:
    text = sentence(entry(event, outcome=outcome, actor_kind="app"), Words(language, "UTC"), NAMES)
    assert text
    assert "%(" not in text
