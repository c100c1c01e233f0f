"""The answer of the decision point: a permit with the purposes it rests on, or a refusal with its reason."""

from dataclasses import dataclass
from typing import Final

from app_catalog import ConsentedPurpose

# Reasons of the data plane. Those of a token that opens nothing ("grant revoked", "app suspended") are the catalogue's.
OTHER_SPACE: Final = "other space"  # the resource is in somebody else's space
OTHER_PATIENT: Final = "other patient"  # the app asked for a patient that its token is not about
NO_CONSENT: Final = "no consent"  # no purpose that the patient agrees to covers it
NO_SCOPE: Final = "no scope"  # a purpose covers it, but the token was granted less
NOT_REFERENCED: Final = "not referenced"  # a device none of whose readings may be read


@dataclass(frozen=True)
class Permit:
    """`purposes`: those that the patient agreed to and that cover this; empty where none is needed."""

    purposes: tuple[ConsentedPurpose, ...] = ()


@dataclass(frozen=True)
class Deny:
    """The same words reach the patient's journal and the tests.

    unauthorised  the caller has to sign in again (401). Otherwise what was asked for looks absent: a refusal would
                  tell that it is there.
    """

    reason: str
    unauthorised: bool = False


Decision = Permit | Deny
