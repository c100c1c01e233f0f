"""How a run of a scenario goes on: a table from what it waits for and what happened to what comes of it.

What is not in the table changes nothing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app_catalog.interoperability.scenario import Outcome, Scenario
from app_catalog.words import marked


class Stage(StrEnum):
    ARMED = "armed"  # for the next authorization
    ANSWERED = "answered"  # the client has its code
    CONNECTED = "connected"  # the client has tokens
    DISTURBED = "disturbed"  # what the scenario is about has happened
    RESUMED = "resumed"  # the client went on as it should

    @property
    def label(self) -> str:
        """What is waited for, as an English msgid."""
        return WAITS_FOR[self]


WAITS_FOR = {
    Stage.ARMED: marked("waits for an authorization"),
    Stage.ANSWERED: marked("waits for the code to be redeemed"),
    Stage.CONNECTED: marked("waits for a call of the client"),
    Stage.DISTURBED: marked("waits for what the client makes of it"),
    Stage.RESUMED: marked("waits for the client to finish"),
}


class Event(StrEnum):
    ASKED = "asked"  # an authorization request
    SENT = "sent"  # a code goes to the client, or the refusal that the scenario makes of it
    REDEEMED = "redeemed"  # a code for tokens
    MISREDEEMED = "misredeemed"  # the code that came with a wrong state or issuer
    FAILED = "failed"  # a code was refused
    HELD_OFF = "held off"  # a refresh was answered with 503
    REFRESHED = "refreshed"
    READ = "read"  # a call with a token that works
    TURNED_AWAY = "turned away"  # a call, or a refresh, with a token that works no more
    WITHOUT_REFRESH = "without refresh"  # tokens went out, without a refresh token


class Effect(StrEnum):
    """What the product does to bring the scenario about."""

    EXPIRE = "expire"  # the access tokens of the grant, at once
    REVOKE = "revoke"  # the grant


@dataclass(frozen=True)
class Reaction:
    """What is written down as a step, and either the next stage or the outcome. `limit`: only the so-manieth time."""

    step: str
    then: Stage | Outcome
    effect: Effect | None = None
    limit: int = 1


_SENT = marked("The code was sent to the client.")
_WORKED = marked("The client has its tokens.")
_FAILED = marked("The code was refused: it was late, used before, or shown with a wrong verifier.")
_READ = marked("The client read with a token that works.")
_STILL = marked("The client called with a token that works no more.")
_REDEEMED_IT = marked("The client redeemed a code that it should have left alone.")
_LEFT_IT = marked("The client left the code alone and asked anew.")
_REFRESHED = marked("The client refreshed its tokens.")
_ASKED_THE_PATIENT = marked("The client asked the patient anew instead of refreshing.")
_NO_REFRESH = marked("The client has no refresh token: there is nothing to refresh.")
TOO_OFTEN: Final = 10  # calls with a dead token: a page with a few lists makes five at once
AT_ONCE: Final = 3  # authorization requests within `QUIET` of a refusal: no person clicks so fast

_START = {
    (Stage.ARMED, Event.SENT): Reaction(_SENT, Stage.ANSWERED),
    (Stage.ANSWERED, Event.FAILED): Reaction(_FAILED, Outcome.FAILED),
}
_SPOILT_ANSWER = {
    (Stage.ARMED, Event.SENT): Reaction(marked("The code was sent with a wrong answer around it."), Stage.DISTURBED),
    (Stage.DISTURBED, Event.MISREDEEMED): Reaction(_REDEEMED_IT, Outcome.FAILED),
    (Stage.DISTURBED, Event.ASKED): Reaction(_LEFT_IT, Stage.RESUMED),
    (Stage.RESUMED, Event.MISREDEEMED): Reaction(_REDEEMED_IT, Outcome.FAILED),
    (Stage.RESUMED, Event.REDEEMED): Reaction(_WORKED, Outcome.PASSED),
}

Rules = dict[tuple[Stage, Event], Reaction]
RULES: Final[dict[Scenario, Rules]] = {
    Scenario.HAPPY_PATH: _START | {
        (Stage.ANSWERED, Event.REDEEMED): Reaction(_WORKED, Stage.CONNECTED),
        (Stage.CONNECTED, Event.READ): Reaction(_READ, Outcome.PASSED),
    },
    Scenario.WRONG_STATE: _SPOILT_ANSWER,
    Scenario.WRONG_ISSUER: _SPOILT_ANSWER,
    Scenario.DENIED: {
        (Stage.ARMED, Event.SENT): Reaction(marked("The client was told that the patient refused."), Stage.DISTURBED),
        (Stage.DISTURBED, Event.TURNED_AWAY): Reaction(
            marked("The client asked again by itself, over and over."), Outcome.FAILED, limit=AT_ONCE
        ),
        (Stage.DISTURBED, Event.ASKED): Reaction(marked("The client was connected again later."), Stage.RESUMED),
        (Stage.RESUMED, Event.REDEEMED): Reaction(_WORKED, Outcome.PASSED),
    },
    Scenario.UNAVAILABLE: _START | {
        (Stage.ANSWERED, Event.REDEEMED): Reaction(
            marked("The client has an access token that has expired already."), Stage.CONNECTED, Effect.EXPIRE
        ),
        (Stage.CONNECTED, Event.WITHOUT_REFRESH): Reaction(_NO_REFRESH, Outcome.PASSED),
        (Stage.CONNECTED, Event.HELD_OFF): Reaction(
            marked("A refresh was answered with 503, temporarily_unavailable."), Stage.DISTURBED
        ),
        (Stage.DISTURBED, Event.ASKED): Reaction(_ASKED_THE_PATIENT, Outcome.FAILED),
        (Stage.DISTURBED, Event.REFRESHED): Reaction(_REFRESHED, Stage.RESUMED),
        (Stage.RESUMED, Event.READ): Reaction(_READ, Outcome.PASSED),
    },
    Scenario.EXPIRED: _START | {
        (Stage.ANSWERED, Event.REDEEMED): Reaction(
            marked("The client has an access token that has expired already."), Stage.CONNECTED, Effect.EXPIRE
        ),
        (Stage.CONNECTED, Event.WITHOUT_REFRESH): Reaction(_NO_REFRESH, Outcome.PASSED),
        (Stage.CONNECTED, Event.TURNED_AWAY): Reaction(marked("A call was answered with 401."), Stage.DISTURBED),
        (Stage.CONNECTED, Event.REFRESHED): Reaction(_REFRESHED, Stage.RESUMED),
        (Stage.DISTURBED, Event.TURNED_AWAY): Reaction(_STILL, Outcome.FAILED, limit=TOO_OFTEN),
        (Stage.DISTURBED, Event.ASKED): Reaction(_ASKED_THE_PATIENT, Outcome.FAILED),
        (Stage.DISTURBED, Event.REFRESHED): Reaction(_REFRESHED, Stage.RESUMED),
        (Stage.RESUMED, Event.READ): Reaction(_READ, Outcome.PASSED),
    },
    Scenario.REVOKED: _START | {
        (Stage.ANSWERED, Event.REDEEMED): Reaction(_WORKED, Stage.CONNECTED),
        (Stage.CONNECTED, Event.READ): Reaction(
            marked("The client read, and then its access was ended."), Stage.DISTURBED, Effect.REVOKE
        ),
        (Stage.DISTURBED, Event.TURNED_AWAY): Reaction(_STILL, Outcome.FAILED, limit=TOO_OFTEN),
        (Stage.DISTURBED, Event.ASKED): Reaction(marked("The client asked the patient anew."), Outcome.PASSED),
    },
}  # fmt: skip


def reaction_to(scenario: Scenario, stage: Stage, event: Event) -> Reaction | None:
    return RULES[scenario].get((stage, event))
