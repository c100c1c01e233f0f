"""Names of what is journalled, ``source:subject:action``. Names are only added: patients read old ones for years."""

from enum import StrEnum


class EventName(StrEnum):
    VENDOR_REGISTERED = "catalogue:vendor:register"
    APPLICATION_SUBMITTED = "catalogue:application:submit"
    APPLICATION_WITHDRAWN = "catalogue:application:withdraw"
    APPLICATION_APPROVED = "catalogue:application:approve"
    APPLICATION_REFUSED = "catalogue:application:refuse"
    APPLICATION_ADMITTED = "catalogue:application:admit"
    APPLICATION_RETURNED = "catalogue:application:return"
    INTEREST_DECLARED = "catalogue:interest:declare"
    EVALUATION_HANDED_IN = "catalogue:evaluation:hand_in"
    QUESTION_ASKED = "catalogue:question:ask"
    QUESTION_ANSWERED = "catalogue:question:answer"
    OPINION_WRITTEN = "catalogue:opinion:write"
    AGREEMENT_OFFERED = "catalogue:agreement:offer"
    AGREEMENT_ACCEPTED = "catalogue:agreement:accept"
    AGREEMENT_EXTENDED = "catalogue:agreement:extend"
    SCENARIO_ARMED = "catalogue:scenario:arm"
    SCENARIO_ENDED = "catalogue:scenario:end"
    INTEROPERABILITY_ATTESTED = "catalogue:interoperability:attest"
    CRITERIA_PUBLISHED = "catalogue:criteria:publish"
    APP_SUSPENDED = "catalogue:app:suspend"
    APP_STATUS_CHANGED = "catalogue:app:change_status"
    CIRCLE_INVITED = "catalogue:circle:invite"
    CIRCLE_CLOSED = "catalogue:circle:close"
    CIRCLE_JOINED = "catalogue:circle:join"
    REPORT_MADE = "catalogue:report:make"
    REPORT_ANSWERED = "catalogue:report:answer"
    AUDIT_OPENED = "catalogue:audit:open"
    AUDIT_CONTINUED = "catalogue:audit:continue"
    AUDIT_DECIDED = "catalogue:audit:decide"
    COMPLAINT_MADE = "catalogue:complaint:make"
    COMPLAINT_ANSWERED = "catalogue:complaint:answer"
    RENEWAL_ASKED = "catalogue:renewal:ask"
    RENEWAL_DECIDED = "catalogue:renewal:decide"
    END_ANNOUNCED = "catalogue:agreement:warn"
    SECRET_ISSUED = "catalogue:secret:issue"  # noqa: S105  the name of an event

    CREDENTIALS_SET = "catalogue:credentials:set"
    INITIAL_TOKEN_ISSUED = "catalogue:initial_token:issue"  # noqa: S105  the name of an event
    CLIENT_REGISTERED = "catalogue:client:register"
    APP_PAIRED = "consent:app:pair"
    APP_OPENED = "portal:app:open"
    APP_DENIED = "consent:app:deny"
    APP_UNPAIRED = "consent:app:unpair"
    PURPOSE_GIVEN = "consent:purpose:give"
    APP_ENDED = "consent:app:end"
    PURPOSE_WITHDRAWN = "consent:purpose:withdraw"
    PURPOSE_ENDED = "consent:purpose:end"
    END_CHOSEN = "consent:end:choose"
    VERSION_ASKED = "consent:version:ask"
    VERSION_ANSWERED = "consent:version:answer"
    VERSION_UNANSWERED = "consent:version:stop"
    APPS_LISTED = "consent:apps:list"
    CONSENTS_EXPORTED = "portal:consents:export"
    NOTIFICATION_SET = "catalogue:notification:set"

    CODE_REDEEMED = "oauth:code:redeem"
    CODE_REPLAYED = "oauth:code:replay"
    TOKEN_REFRESHED = "oauth:token:refresh"  # noqa: S105  the name of an event
    TOKEN_REPLAYED = "oauth:token:replay"  # noqa: S105  the name of an event
    TOKEN_REFUSED = "oauth:token:refuse"  # noqa: S105  the name of an event
    TOKEN_REVOKED = "oauth:token:revoke"  # noqa: S105  the name of an event
    GRANT_REVOKED = "oauth:grant:revoke"
