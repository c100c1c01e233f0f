"""The table by which a run of a scenario goes on."""

import pytest

from app_catalog.interoperability.rules import RULES, Stage
from app_catalog.interoperability.scenario import Outcome, Scenario


def reached(scenario):
    """Stages and outcomes that a run can come to."""
    found, waiting = set(), [Stage.ARMED]
    while waiting:
        stage = waiting.pop()
        found.add(stage)
        after = {reaction.then for (before, _), reaction in RULES[scenario].items() if before is stage}
        waiting += [each for each in after - found if isinstance(each, Stage)]
        found |= after
    return found


@pytest.mark.parametrize("scenario", list(Scenario))
def test_every_scenario_can_be_passed_and_can_be_failed_and_no_stage_is_out_of_reach(scenario):
    assert {Outcome.PASSED, Outcome.FAILED} <= reached(scenario)
    assert {stage for stage, _ in RULES[scenario]} <= reached(scenario)


@pytest.mark.parametrize("scenario", list(Scenario))
def test_what_a_client_does_before_the_scenario_has_begun_changes_nothing(scenario):
    events = {event for stage, event in RULES[scenario] if stage is Stage.ARMED}
    assert events == {"sent"}
