"""Names of what is journalled, ``source:subject:action``. Names are only added: patients read old ones for years."""

from enum import StrEnum


class EventName(StrEnum):
    VENDOR_REGISTERED = "catalogue:vendor:register"
    APPLICATION_SUBMITTED = "catalogue:application:submit"
    APPLICATION_APPROVED = "catalogue:application:approve"
    APPLICATION_REFUSED = "catalogue:application:refuse"
    APP_SUSPENDED = "catalogue:app:suspend"
    APP_STATUS_CHANGED = "catalogue:app:change_status"
    SECRET_ISSUED = "catalogue:secret:issue"  # noqa: S105  the name of an event

    CREDENTIALS_SET = "catalogue:credentials:set"
    INITIAL_TOKEN_ISSUED = "catalogue:initial_token:issue"  # noqa: S105  the name of an event
    CLIENT_REGISTERED = "catalogue:client:register"
    APP_PAIRED = "consent:app:pair"
    APP_OPENED = "portal:app:open"
    APP_DENIED = "consent:app:deny"
    APP_UNPAIRED = "consent:app:unpair"
    PURPOSE_GIVEN = "consent:purpose:give"
    PURPOSE_WITHDRAWN = "consent:purpose:withdraw"

    CODE_REDEEMED = "oauth:code:redeem"
    CODE_REPLAYED = "oauth:code:replay"
    TOKEN_REFRESHED = "oauth:token:refresh"  # noqa: S105  the name of an event
    TOKEN_REPLAYED = "oauth:token:replay"  # noqa: S105  the name of an event
    TOKEN_REFUSED = "oauth:token:refuse"  # noqa: S105  the name of an event
    TOKEN_REVOKED = "oauth:token:revoke"  # noqa: S105  the name of an event
    GRANT_REVOKED = "oauth:grant:revoke"
