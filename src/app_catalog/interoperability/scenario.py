"""The scenarios that the product drives against a client, and the outcomes that a run of one can have."""

from enum import StrEnum

from app_catalog.words import marked


class Scenario(StrEnum):
    """Each begins with the next authorization of a simulated patient. All are needed for an app that exchanges data."""

    HAPPY_PATH = "happy-path"
    WRONG_STATE = "wrong-state"
    WRONG_ISSUER = "wrong-issuer"
    DENIED = "denied"
    UNAVAILABLE = "unavailable"
    EXPIRED = "expired"
    REVOKED = "revoked"

    @property
    def label(self) -> str:
        """For people, as an English msgid."""
        return LABELS[self]

    @property
    def expectation(self) -> str:
        """What the client has to do, as an English msgid."""
        return EXPECTATIONS[self]


LABELS = {
    Scenario.HAPPY_PATH: marked("Everything goes well"),
    Scenario.WRONG_STATE: marked("The answer has another state"),
    Scenario.WRONG_ISSUER: marked("The answer names another server"),
    Scenario.DENIED: marked("The patient refuses"),
    Scenario.UNAVAILABLE: marked("The server is away during a refresh"),
    Scenario.EXPIRED: marked("The access token has expired"),
    Scenario.REVOKED: marked("The patient disconnects the app"),
}
EXPECTATIONS = {
    Scenario.HAPPY_PATH: marked("Ask with PKCE, redeem the code, read what was granted."),
    Scenario.WRONG_STATE: marked("Do not redeem the code; a new connection works."),
    Scenario.WRONG_ISSUER: marked("Do not redeem the code (RFC 9207); a new connection works."),
    Scenario.DENIED: marked("Do not ask again by itself; a later connection works."),
    Scenario.UNAVAILABLE: marked("Try the refresh again with the same token; access is not lost."),
    Scenario.EXPIRED: marked("Refresh after a 401, and read again."),
    Scenario.REVOKED: marked("Stop calling, and ask the patient anew."),
}


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"

    @property
    def label(self) -> str:
        """For people, as an English msgid."""
        return OUTCOMES[self]


OUTCOMES = {
    Outcome.PASSED: marked("passed"),
    Outcome.FAILED: marked("failed"),
    Outcome.TIMED_OUT: marked("ended without a result"),
    Outcome.CANCELLED: marked("cancelled"),
}
