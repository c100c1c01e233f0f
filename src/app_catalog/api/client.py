"""The OAuth client of an app: its keys or certificate, its secret, where its vendor is told that access ended."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import Field

from app_catalog.api.model import Instant, Model
from app_catalog.api.operation import Call
from app_catalog.api.own import described_app, own_app
from app_catalog.catalogue.apps import App
from app_catalog.catalogue.secret import OVERLAP, rotate_secret
from app_catalog.clients.credentials import credentials_from
from app_catalog.clients.registration import INITIAL_TOKEN_LIFE, app_of_vendor, issue_initial_token, set_credentials
from app_catalog.consents.notices import latest_notices
from app_catalog.consents.notification import NO_KEYS, SHOWN, STATE, set_notification_url
from app_catalog.errors import WrongState
from app_catalog.oauth.profiles import PROFILES
from app_catalog.vendors.role import WRITERS, require


class Credentials(Model):
    """In the words of RFC 7591 and RFC 8705: exactly one of jwks, jwks_uri and a name in a certificate."""

    token_endpoint_auth_method: str
    tls_client_certificate_bound_access_tokens: bool = False
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None
    tls_client_auth_subject_dn: str | None = None
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None


class ClientShown(Model):
    client_id: str
    profile: str
    token_endpoint_auth_methods: tuple[str, ...] = Field(description="That the profile allows.")
    redirect_uris: tuple[str, ...] = Field(description="Changed by a new version only.")
    credentials: Credentials | None
    credentials_set_at: Instant | None
    secret_issued_at: Instant | None
    former_secret_until: Instant | None = Field(description="Until then the secret before works too.")


class NewSecret(Model):
    end_former: bool = Field(default=False, description="At once, for a secret that somebody else may know.")


class Secret(Model):
    client_secret: str = Field(description="In this answer only.")
    former_secret_until: Instant | None


class InitialToken(Model):
    initial_access_token: str = Field(description="For /oauth/register, once; in this answer only.")
    expires_in: int = Field(description="Seconds.")


class NoticeShown(Model):
    pairing_id: UUID
    reason: str
    happened_at: Instant
    attempts: int
    last_answer: str | None
    delivered_at: Instant | None
    given_up_at: Instant | None
    next_attempt_at: Instant | None


class Address(Model):
    url: str | None = Field(description="An https address; null: no notices.")


class Notification(Model):
    url: str | None
    set_at: Instant | None
    gone_at: Instant | None = Field(description="The address answered 410: nothing is sent until it is set again.")
    notices: tuple[NoticeShown, ...] = Field(description="The latest fifty.")


async def client(call: Call) -> ClientShown:
    app = await described_app(call)
    await require(call.connection, app.vendor_id, call.program)
    return _shown(app)


async def new_credentials(call: Call) -> ClientShown:
    """From now on the client is known by these, and by nothing from before."""
    body: Credentials = call.body
    app = await described_app(call)
    credentials = credentials_from(body.model_dump(exclude_none=True), PROFILES[app.profile])
    await set_credentials(call.connection, app.id, credentials, mail=call.wiring.mail, **call.doing)
    return _shown(await described_app(call))


async def new_secret(call: Call) -> Secret:
    body: NewSecret = call.body
    app = await described_app(call)
    keep = timedelta() if body.end_former else OVERLAP
    secret = await rotate_secret(call.connection, app.id, keep_former=keep, **call.doing)
    return Secret(client_secret=secret, former_secret_until=(await described_app(call)).former_secret_until)


async def new_initial_token(call: Call) -> InitialToken:
    app = await described_app(call)
    token = await issue_initial_token(call.connection, app.id, **call.doing)
    return InitialToken(initial_access_token=token, expires_in=int(INITIAL_TOKEN_LIFE.total_seconds()))


async def notification(call: Call) -> Notification:
    app = await described_app(call)
    await require(call.connection, app.vendor_id, call.program)
    return await _notification(call, app.id)


async def new_address(call: Call) -> Notification:
    body: Address = call.body
    known = await own_app(call)
    async with call.connection.transaction():
        app = await app_of_vendor(call.connection, known.id, call.program, *WRITERS)
        if call.wiring.master_key is None:
            raise WrongState(NO_KEYS)
        await set_notification_url(call.connection, app, body.url, **call.doing)
        return await _notification(call, app.id)


def _shown(app: App) -> ClientShown:
    known = app.credentials.metadata if app.credentials is not None else None
    return ClientShown(
        client_id=app.client_id,
        profile=app.profile,
        token_endpoint_auth_methods=tuple(sorted(PROFILES[app.profile].auth_methods)),
        redirect_uris=app.redirect_uris,
        credentials=Credentials(**known) if known is not None else None,
        credentials_set_at=app.credentials_set_at,
        secret_issued_at=app.secret_issued_at,
        former_secret_until=app.former_secret_until,
    )


async def _notification(call: Call, app_id: UUID) -> Notification:
    [state] = await (await call.connection.execute(STATE, (app_id,))).fetchall()
    return Notification(
        url=state.notification_url,
        set_at=state.notification_set_at,
        gone_at=state.notification_gone_at,
        notices=tuple(
            NoticeShown(
                pairing_id=one.pairing_id, reason=one.why.value, happened_at=one.happened_at, attempts=one.attempts,
                last_answer=one.last_answer, delivered_at=one.delivered_at, given_up_at=one.given_up_at,
                next_attempt_at=one.due_at if one.delivered_at is None and one.given_up_at is None else None,
            )
            for one in await latest_notices(call.connection, app_id, SHOWN)
        ),
    )  # fmt: skip
