"""The table by which a run of a scenario goes on."""

import pytest

from app_catalog.interoperability.rules import RULES, SILENCE, Event, Stage
from app_catalog.interoperability.scenario import Outcome, Scenario


def reached(scenario, events=frozenset(Event)):
    """Stages and outcomes that a run can come to by `events`, and by time."""
    found, waiting = set(), [Stage.ARMED]
    while waiting:
        stage = waiting.pop()
        found.add(stage)
        after = {
            reaction.then
            for (before, event), reaction in RULES[scenario].items()
            if before is stage and event in events
        }
        after |= {reaction.then for when, reaction in SILENCE.items() if when == (scenario, stage)}
        waiting += [each for each in after - found if isinstance(each, Stage)]
        found |= after
    return found


@pytest.mark.parametrize("scenario", list(Scenario))
def test_every_scenario_can_be_passed_and_can_be_failed_and_no_stage_is_out_of_reach(scenario):
    assert {Outcome.PASSED, Outcome.FAILED} <= reached(scenario)
    assert {stage for stage, _ in RULES[scenario]} <= reached(scenario)


@pytest.mark.parametrize("scenario", list(Scenario))
def test_no_scenario_is_passed_by_what_others_do_while_the_client_does_nothing(scenario):
    assert Outcome.PASSED not in reached(scenario, {Event.SENT, Event.ASKED, Event.NOTIFIED})
    stages = {stage for stage, _ in RULES[scenario]}
    assert {stage for of, stage in SILENCE if of is scenario} <= stages


@pytest.mark.parametrize("scenario", list(Scenario))
def test_what_a_client_does_before_the_scenario_has_begun_changes_nothing(scenario):
    events = {event for stage, event in RULES[scenario] if stage is Stage.ARMED}
    assert events == {"sent"}
