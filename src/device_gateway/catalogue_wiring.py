"""What the catalogue is handed by this product: who is signed in, the journal, and the words for what scopes open."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from app_catalog import (
    BadBrand,
    Brand,
    Call,
    CatalogueEvent,
    CertificateHeader,
    Choice,
    EndedGrant,
    PublishedKeys,
    Rates,
    Scope,
    SignIn,
    Wiring,
    brand_from,
    brand_of_url,
    networks,
)
from device_gateway.access import CATEGORY_SYSTEM, VALUE_SETS, categories_of
from device_gateway.accounts import Account, login_url, signed_in
from device_gateway.accounts.sessions import account_of, opened_at, session_hash
from device_gateway.catalogue_key import catalogue_key
from device_gateway.database.pool import AsyncPool, Row
from device_gateway.errors import BadSetting
from device_gateway.journal import Actor, Event, record, record_each_with
from device_gateway.mail.outbox import Outbox
from device_gateway.metrics import METRICS
from device_gateway.metrics.catalogue import LOINC
from device_gateway.portal.pages import Pages
from device_gateway.sandbox.patients import SimulatedPatients
from device_gateway.settings import Settings
from device_gateway.state import settings_of

PRODUCT = "Device Gateway"
PRODUCT_CHANGED = datetime(2026, 1, 1, tzinfo=UTC)  # when what is said below of an unnamed brand was written
EVERYTHING = {"en": "all measurements, now and in the future", "fr": "toutes les mesures, présentes et à venir"}
DEVICES = {"en": "your measuring devices", "fr": "vos appareils de mesure"}
CATEGORIES = {
    "vital-signs": {"en": "vital signs", "fr": "constantes vitales"},
    "laboratory": {"en": "laboratory values", "fr": "résultats de laboratoire"},
    "activity": {"en": "physical activity", "fr": "activité physique"},
    "survey": {"en": "what you report yourself", "fr": "ce que vous déclarez vous-même"},
}


def wiring_of(settings: Settings, pool: AsyncPool, pages: Pages) -> Wiring:
    """Everything that the catalogue's routes need."""
    key = catalogue_key(settings)

    async def person(request: Request) -> Account | None:
        return await signed_in(request)

    def render(request: Request, template: str, context: Mapping[str, Any], /) -> Response:
        return pages.render(request, template, context)

    return Wiring(
        pool=pool,
        issuer=settings.public_url,
        fhir_url=settings.fhir_url,
        signed_in=person,
        login_url=login_url,
        render=render,
        language=pages.language,
        journal=SpaceJournal(),
        data_plane=MeasurementPlane(),
        mail=Outbox(key),
        sandbox=SimulatedPatients(),
        clock=lambda: datetime.now(UTC),
        value_sets=VALUE_SETS,
        choices=choices(),
        management_url=f"{settings.public_url}/apps",
        brand=_brand(settings),
        certificates=CertificateHeader(
            networks(settings.client_certificate_peers.replace(",", " ").split()),
            settings.client_certificate_header,
            direct=settings.tls_certificate is not None and settings.client_authorities is not None,
        ),
        published_keys=PublishedKeys(settings.jwks_hosts.replace(",", " ").split()),
        master_key=key,
        rates=Rates(settings.client_rate, settings.workers),
        session=sign_in_of,
        review_quorum=settings.review_quorum,
        sandbox_days=settings.sandbox_days,
    )


def choices() -> tuple[Choice, ...]:
    """What a purpose may read, for vendors to tick: each measurement, each category, all of them, and devices.

    Nothing is offered to write: no route here takes it yet, and a scope for it can still be typed.
    """
    return (
        *(
            Choice(
                key,
                metric.names,
                _observations("code", metric.system, metric.code),
                categories=tuple(f"{CATEGORY_SYSTEM}|{category}" for category in categories_of(key)),
            )
            for key, metric in METRICS.items()
        ),
        *(Choice(key, names, _observations("category", CATEGORY_SYSTEM, key)) for key, names in CATEGORIES.items()),
        Choice("everything", EVERYTHING, "patient/Observation.rs"),
        Choice("devices", DEVICES, "patient/Device.rs"),
    )


def _observations(parameter: str, system: str, code: str) -> str:
    return f"patient/Observation.rs?{parameter}={system}|{code}"


def _brand(settings: Settings) -> Brand:
    """What the operator's file says, on top of what the public URL says. Raises BadSetting."""
    known = brand_of_url(settings.public_url, PRODUCT, PRODUCT_CHANGED)
    if settings.brand is None:
        return known
    try:
        return brand_from(settings.brand, known)
    except BadBrand as error:
        raise BadSetting(f"DEVICE_GATEWAY_BRAND: {error}") from None


def sign_in_of(request: Request) -> SignIn | None:
    """The session of a request whose person was asked for; None where nobody is signed in."""
    key = session_hash(request) if account_of(request) else None
    since = opened_at(request) if key else None
    if key is None or since is None:
        return None
    return SignIn(key, since, since + timedelta(hours=settings_of(request).session_hours))


class SpaceJournal:
    """Writes the catalogue's events into the journal of the space that they concern."""

    async def write(self, connection: AsyncConnection[Row], event: CatalogueEvent) -> None:
        await record(connection, _recorded(event))

    async def write_each_with(
        self,
        connection: AsyncConnection[Row],
        call: Call,
        done: Sequence[tuple[CatalogueEvent, Mapping[str, Any]]],
    ) -> list[bool]:
        rows = [(_recorded(event), [own[name] for name in call.types]) for event, own in done]
        return await record_each_with(connection, call.function, tuple(call.types.values()), rows)


def _recorded(event: CatalogueEvent) -> Event:
    actor = Actor(event.actor_kind, str(event.actor_id) if event.actor_id else None, event.actor_name)  # type: ignore[arg-type]
    return Event(
        event.name, event.subject, actor, outcome=event.outcome, reason=event.reason, purpose=event.purpose,
        resource=event.resource, quantity=event.count, details=dict(event.details),
    )  # fmt: skip


class MeasurementPlane:
    """The data plane, as the catalogue sees it."""

    async def on_revoked(self, connection: AsyncConnection[Row], grant: EndedGrant) -> None:
        """Nothing outlives a grant: each request asks anew whether it stands."""

    def describe(self, scope: Scope) -> Mapping[str, str]:
        """The metrics that `scope` opens, by name; in plain words what is wider than a list of them."""
        if scope.resource_type == "Device":
            return DEVICES
        if not scope.constraints:
            return EVERYTHING
        names = [
            words
            for constraint in scope.constraints
            for value in constraint.values
            if (words := _words(constraint.parameter, value))
        ]
        return {language: ", ".join(dict.fromkeys(words[language] for words in names)) for language in ("en", "fr")}


def _words(parameter: str, value: str) -> Mapping[str, str] | None:
    system, _, code = value.rpartition("|")
    if parameter == "category":
        return CATEGORIES.get(code)
    if parameter == "code:in" and value in METRICS:
        return METRICS[value].names
    found = next((m for m in METRICS.values() if m.code == code and system in ("", LOINC)), None)
    return found.names if found else {"en": code, "fr": code}
