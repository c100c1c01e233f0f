"""How a run of a scenario goes on: a table from what it waits for and what happened to what comes of it.

What is not in the table changes nothing. What time alone shows has a table of its own.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from app_catalog.interoperability.scenario import Outcome, Scenario
from app_catalog.words import marked


class Stage(StrEnum):
    ARMED = "armed"  # for the next authorization
    ANSWERED = "answered"  # the client has its code
    CONNECTED = "connected"  # the client has tokens
    BARE = "bare"  # an access token that has expired, and no refresh token
    DISTURBED = "disturbed"  # what the scenario is about has happened
    TOLD = "told"  # the client knows that its access has ended
    ASKED = "asked"  # the patient was asked anew where a refresh would have done: by this client, or in another browser
    RESUMED = "resumed"  # the client went on as it should

    @property
    def label(self) -> str:
        """What is waited for, as an English msgid."""
        return WAITS_FOR[self]


WAITS_FOR = {
    Stage.ARMED: marked("waits for an authorization"),
    Stage.ANSWERED: marked("waits for the code to be redeemed"),
    Stage.CONNECTED: marked("waits for a call of the client"),
    Stage.BARE: marked("waits for a call of the client"),
    Stage.DISTURBED: marked("waits for what the client makes of it"),
    Stage.TOLD: marked("waits for what the client makes of it"),
    Stage.ASKED: marked("waits for what the client makes of it"),
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
    READ = "read"  # a call that was answered with data that the patient agreed to
    TURNED_AWAY = "turned away"  # a call, or a refresh, with a token that works no more
    NOTIFIED = "notified"  # the vendor's server took the notice that access has ended
    WITHOUT_REFRESH = "without refresh"  # tokens went out, without a refresh token


class Effect(StrEnum):
    """What the product does to bring the scenario about."""

    EXPIRE = "expire"  # the access tokens of the grant, at once
    REVOKE = "revoke"  # the grant


@dataclass(frozen=True)
class Reaction:
    """What is written down as a step, and either the next stage or the outcome.

    limit  how often it has to happen for that
    apart  what comes sooner after the stage began is not counted: a page with many lists makes all its calls at once
    """

    step: str
    then: Stage | Outcome
    effect: Effect | None = None
    limit: int = 1
    apart: timedelta = timedelta()


_SENT = marked("The code was sent to the client.")
_WORKED = marked("The client has its tokens.")
_FAILED = marked("The code was refused: it was late, used before, or shown with a wrong verifier.")
_READ = marked("The client read with a token that works.")
_TOLD = marked("A call was answered with 401.")
_STILL = marked("The client called with a token that works no more.")
_REDEEMED_IT = marked("The client redeemed a code that it should have left alone.")
_LEFT_IT = marked("The client left the code alone and asked anew.")
_REFRESHED = marked("The client refreshed its tokens.")
_EXPIRED = marked("The client has an access token that has expired already.")
_ASKED_ANEW = marked("The client asked the patient anew.")
_ASKED_INSTEAD = marked("The patient was asked anew.")
_NO_REFRESH = marked("The client has no refresh token: there is nothing to refresh.")
TOO_OFTEN: Final = 10  # calls with a dead token, after those of the moment in which the client is told
AT_ONCE: Final = 3  # authorization requests within `QUIET` of a refusal: no person clicks so fast
MOMENT: Final = timedelta(seconds=2)  # in which one page makes its calls
STOPPED: Final = timedelta(seconds=60)  # without anything: the client has understood, or given up

Rules = dict[tuple[Stage, Event], Reaction]

_START: Rules = {
    (Stage.ARMED, Event.SENT): Reaction(_SENT, Stage.ANSWERED),
    (Stage.ANSWERED, Event.FAILED): Reaction(_FAILED, Outcome.FAILED),
    (Stage.CONNECTED, Event.FAILED): Reaction(_FAILED, Outcome.FAILED),  # a second time
}
_AGAIN: Rules = {
    (Stage.RESUMED, Event.FAILED): Reaction(_FAILED, Outcome.FAILED),
    (Stage.RESUMED, Event.REDEEMED): Reaction(_WORKED, Outcome.PASSED),
}
_SPOILT_ANSWER: Rules = _AGAIN | {
    (Stage.ARMED, Event.SENT): Reaction(marked("The code was sent with a wrong answer around it."), Stage.DISTURBED),
    (Stage.DISTURBED, Event.MISREDEEMED): Reaction(_REDEEMED_IT, Outcome.FAILED),
    (Stage.DISTURBED, Event.ASKED): Reaction(_LEFT_IT, Stage.RESUMED),
    (Stage.RESUMED, Event.MISREDEEMED): Reaction(_REDEEMED_IT, Outcome.FAILED),
}
_GO_ON_CALLING = Reaction(_STILL, Outcome.FAILED, limit=TOO_OFTEN, apart=MOMENT)
_REFRESH: Rules = _START | {
    (Stage.DISTURBED, Event.ASKED): Reaction(_ASKED_INSTEAD, Stage.ASKED),
    (Stage.DISTURBED, Event.REFRESHED): Reaction(_REFRESHED, Stage.RESUMED),
    (Stage.ASKED, Event.REFRESHED): Reaction(_REFRESHED, Stage.RESUMED),
    (Stage.RESUMED, Event.READ): Reaction(_READ, Outcome.PASSED),
}

RULES: Final[dict[Scenario, Rules]] = {
    Scenario.HAPPY_PATH: _START | {
        (Stage.ANSWERED, Event.REDEEMED): Reaction(_WORKED, Stage.CONNECTED),
        (Stage.CONNECTED, Event.READ): Reaction(_READ, Outcome.PASSED),
    },
    Scenario.WRONG_STATE: _SPOILT_ANSWER,
    Scenario.WRONG_ISSUER: _SPOILT_ANSWER,
    Scenario.DENIED: _AGAIN | {
        (Stage.ARMED, Event.SENT): Reaction(marked("The client was told that the patient refused."), Stage.DISTURBED),
        (Stage.DISTURBED, Event.TURNED_AWAY): Reaction(
            marked("The client asked again by itself, over and over."), Outcome.FAILED, limit=AT_ONCE
        ),
        (Stage.DISTURBED, Event.ASKED): Reaction(marked("The client was connected again later."), Stage.RESUMED),
    },
    Scenario.UNAVAILABLE: _REFRESH | {
        (Stage.ANSWERED, Event.REDEEMED): Reaction(_EXPIRED, Stage.CONNECTED, Effect.EXPIRE),
        (Stage.CONNECTED, Event.WITHOUT_REFRESH): Reaction(_NO_REFRESH, Outcome.PASSED),
        (Stage.CONNECTED, Event.HELD_OFF): Reaction(
            marked("A refresh was answered with 503, temporarily_unavailable."), Stage.DISTURBED
        ),
    },
    Scenario.EXPIRED: _REFRESH | {
        (Stage.ANSWERED, Event.REDEEMED): Reaction(_EXPIRED, Stage.CONNECTED, Effect.EXPIRE),
        (Stage.CONNECTED, Event.TURNED_AWAY): Reaction(_TOLD, Stage.DISTURBED),
        (Stage.CONNECTED, Event.REFRESHED): Reaction(_REFRESHED, Stage.RESUMED),
        (Stage.DISTURBED, Event.TURNED_AWAY): _GO_ON_CALLING,
        (Stage.CONNECTED, Event.WITHOUT_REFRESH): Reaction(_NO_REFRESH, Stage.BARE),
        (Stage.BARE, Event.TURNED_AWAY): Reaction(_TOLD, Stage.TOLD),
        (Stage.TOLD, Event.TURNED_AWAY): _GO_ON_CALLING,
        (Stage.TOLD, Event.ASKED): Reaction(_ASKED_ANEW, Outcome.PASSED),
    },
    Scenario.REVOKED: _START | _AGAIN | {
        (Stage.ANSWERED, Event.REDEEMED): Reaction(_WORKED, Stage.CONNECTED),
        (Stage.CONNECTED, Event.READ): Reaction(
            marked("The client read, and then its access was ended."), Stage.DISTURBED, Effect.REVOKE
        ),
        (Stage.DISTURBED, Event.TURNED_AWAY): Reaction(_STILL, Stage.TOLD),
        (Stage.DISTURBED, Event.NOTIFIED): Reaction(
            marked("The vendor's server took the notice that the access has ended."), Stage.TOLD
        ),
        (Stage.TOLD, Event.TURNED_AWAY): _GO_ON_CALLING,
        (Stage.TOLD, Event.ASKED): Reaction(_ASKED_ANEW, Stage.RESUMED),
        (Stage.RESUMED, Event.TURNED_AWAY): _GO_ON_CALLING,
    },
}  # fmt: skip

_SILENT = Reaction(
    marked("The client was told that its token works no more, and has not called since."), Outcome.PASSED
)
_INSTEAD = Reaction(marked("The client asked the patient anew instead of refreshing."), Outcome.FAILED)
# What it means that nothing has happened for `STOPPED`.
SILENCE: Final[dict[tuple[Scenario, Stage], Reaction]] = {
    (Scenario.REVOKED, Stage.TOLD): _SILENT,
    (Scenario.REVOKED, Stage.RESUMED): _SILENT,
    (Scenario.EXPIRED, Stage.TOLD): _SILENT,
    (Scenario.EXPIRED, Stage.ASKED): _INSTEAD,
    (Scenario.UNAVAILABLE, Stage.ASKED): _INSTEAD,
}
# A step of runs that were settled by a former rule: pages still show it.
FORMER_STEP: Final = marked("The client left the code alone until it had expired.")


def reaction_to(scenario: Scenario, stage: Stage, event: Event) -> Reaction | None:
    return RULES[scenario].get((stage, event))
