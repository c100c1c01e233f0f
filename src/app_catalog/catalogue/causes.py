"""Why an app moved, in words for patients: a few, so that each is plain and in both languages."""

from enum import StrEnum

from app_catalog.words import marked


class Cause(StrEnum):
    """The reason in the reviewer's own words is for the vendor; patients read the label of one of these."""

    CHECK = "check"
    SECURITY = "security"
    DATA = "data"
    FAULT = "fault"
    AGREEMENT = "agreement"
    VENDOR = "vendor"
    SETTLED = "settled"

    @property
    def label(self) -> str:
        """For patients, as an English msgid."""
        return LABELS[self]


LABELS = {
    Cause.CHECK: marked("It is being checked, for instance because patients reported something."),
    Cause.SECURITY: marked("A weakness in its security was found."),
    Cause.DATA: marked("It handled data in another way than it had said."),
    Cause.FAULT: marked("It does not work as it should."),
    Cause.AGREEMENT: marked("Its agreement has ended."),
    Cause.VENDOR: marked("Its maker asked for it."),
    Cause.SETTLED: marked("What had been found is settled."),
}
