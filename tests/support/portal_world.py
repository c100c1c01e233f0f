"""The whole HTTP application over a real database: accounts, devices, readings, and browsers without a screen."""

import re
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx2
import psycopg
from attested_review import approve
from catalogue_host import purpose
from fastapi import FastAPI
from fhir_world import SCOPES
from psycopg.rows import namedtuple_row
from reading_world import Space

from app_catalog import Application, register_vendor
from device_gateway.accounts import Account, create_account
from device_gateway.app import create_app
from device_gateway.database.pool import connect
from device_gateway.metrics import UNIT_NUMBERS
from device_gateway.settings import Settings
from device_simulators.demo.submission import submit

BASE = "http://127.0.0.1:8000"
PASSWORD = "correct horse battery"
CALLBACK = "http://127.0.0.1:9/callback"


class KnownSpace(Space):
    """A space that an account brought along."""

    def __post_init__(self) -> None:
        pass


@dataclass
class Patient:
    account: Account
    username: str
    space: Space


class Product:
    """`async with`: the application is started, and its clients are closed at the end."""

    def __init__(self, owner_url: str, app_url: str, **settings: Any) -> None:
        self.owner_url = owner_url
        settings = {"mqtt_public_url": "mqtt://broker.example:1884", **settings}
        self.settings = Settings(database_url=app_url, public_url=BASE, **settings)
        self.app: FastAPI = create_app(self.settings)
        self._stack = AsyncExitStack()
        self._people = 0

    async def __aenter__(self) -> "Product":
        await self._stack.enter_async_context(self.app.router.lifespan_context(self.app))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def browser(self, **headers: str) -> httpx2.AsyncClient:
        """A client with a cookie jar that does not follow redirects."""
        transport = httpx2.ASGITransport(self.app, client=("203.0.113.7", 40_000))
        client = httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers)
        return await self._stack.enter_async_context(client)

    def account(self, kind: Any = "patient", username: str | None = None, **changes: Any) -> Account:
        self._people += 1
        fields: dict[str, Any] = {"display_name": "Camille Martin", "language": "en", "zone": "Europe/Paris", **changes}
        with connect(self.owner_url, "gateway_owner") as connection:
            return create_account(connection, username or f"person{self._people}", kind, PASSWORD, **fields)

    def patient(self, **changes: Any) -> Patient:
        username = changes.pop("username", f"patient{self._people}")
        account = self.account("patient", username, **changes)
        assert account.subject
        return Patient(account, username, KnownSpace(self.owner_url, account.subject, account.zone))

    async def signed_in(self, username: str, **headers: str) -> httpx2.AsyncClient:
        browser = await self.browser(**headers)
        response = await browser.post("/login", data={"username": username, "password": PASSWORD})
        assert response.status_code == 303, response.text
        return browser

    def owner(self, query: str, *parameters: Any) -> list[Any]:
        with psycopg.connect(self.owner_url, autocommit=True, row_factory=namedtuple_row) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    async def online_app(self, name: str = "Glyco+") -> UUID:
        """An app approved and in the list, with the purposes `weight` and `glucose`."""
        vendor, reviewers = self.account("vendor"), (self.account("reviewer"), self.account("reviewer"))
        options: dict[str, Any] = {"journal": self.app.state.wiring.journal, "now": datetime.now(UTC)}
        application = Application(
            name=name,
            description={"fr": "Votre carnet de glycémie.", "en": "Your glucose diary."},
            profile="smart-public",
            redirect_uris=(CALLBACK,),
            purposes=(purpose("weight", read_scope=SCOPES["weight"]), purpose("glucose", read_scope=SCOPES["glucose"])),
        )
        async with self.app.state.pool.connection() as connection:
            vendor_id = await register_vendor(connection, name="Acme", contact="a@b.example", person=vendor, **options)
            submitted = await submit(connection, application, vendor_id=vendor_id, person=vendor, **options)
            app = await approve(
                connection, submitted.application_id, owner=vendor, reviewers=reviewers,
                data_plane=self.app.state.wiring.data_plane, **options,
            )  # fmt: skip
        return app.id

    async def connect_app(self, browser: httpx2.AsyncClient, app_id: UUID, *purposes: str) -> None:
        """Through the consent page, as the signed-in patient of `browser`."""
        (row,) = self.owner("SELECT client_id FROM catalogue.app WHERE id = %s", app_id)
        parameters = {
            "response_type": "code", "client_id": row.client_id, "redirect_uri": CALLBACK, "state": "x",
            "scope": f"launch/patient offline_access {SCOPES['weight']} {SCOPES['glucose']}",
            "aud": f"{BASE}/fhir", "code_challenge": "a" * 43, "code_challenge_method": "S256",
        }  # fmt: skip
        page = await browser.get("/oauth/authorize", params=parameters)
        assert page.status_code == 200, page.text
        form = {name: field(page.text, name) for name in ("request", "csrf_token")}
        answer = await browser.post("/oauth/consent", data={**form, "purpose": list(purposes), "decision": "approve"})
        assert answer.status_code == 303, answer.text


def field(page: str, name: str) -> str:
    """Value of the first hidden field of that name."""
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]


def text_of(page: str) -> str:
    """What a page says, without its tags."""
    import html

    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def lived_in(space: Space, owner_url: str, days: int = 40, address: str = "C0:FF:EE:12:34:56") -> UUID:
    """A space with a meter behind a hub, a scale and a cuff, weeks of readings and a history of syncs; the hub's id."""
    now = datetime.now(ZoneInfo("Europe/Paris")).replace(microsecond=0)
    meter, scale, cuff, hub = (uuid4() for _ in range(4))
    with psycopg.connect(owner_url, autocommit=True) as connection:
        for device, model, kind, parent, hardware, name, battery, skew in (
            (hub, "edge", "edge", None, None, "Salon", None, None),
            (meter, "ble-glucose", "device", hub, address, "Mon lecteur", 12, 340),
            (scale, "dg-scale", "device", None, f"SN-{address}", "Balance de la salle de bain", 81, 3),
            (cuff, "dg-cuff", "device", None, None, "Tensiomètre", None, None),
        ):
            connection.execute(
                "INSERT INTO gateway.device (id, model, kind, parent_id, hardware_id) VALUES (%s, %s, %s, %s, %s)",
                (device, model, kind, parent, hardware),
            )
            connection.execute(
                "INSERT INTO gateway.device_holding (device_id, space_id, during, name, last_seen_at, battery_percent,"
                " clock_skew_s) VALUES (%s, %s, tstzrange(%s, NULL), %s, %s, %s, %s)",
                (device, space.id, now - timedelta(days=days), name, now - timedelta(minutes=7), battery, skew),
            )
        for hour in range(3):
            connection.execute(
                "INSERT INTO gateway.device_activity"
                " VALUES (%s, %s, date_trunc('hour', now()) - %s, %s, %s, %s, %s, %s)",
                (meter, space.id, timedelta(hours=24 * hour), 4 + hour, 120, hour, 1 if hour == 0 else 0, 0),
            )
        connection.execute(
            "INSERT INTO gateway.reading_inbox (device_id, metric, time, seq, version, value, decimals, flags)"
            " SELECT %s, 'blood-glucose', timestamptz '2021-01-01' + n * interval '1 day', n, 1, 100, 0, 1"
            " FROM generate_series(1, 2) n",
            (meter,),
        )
        connection.execute("UPDATE gateway.device SET shared = true WHERE id = %s", (scale,))
        connection.execute(
            "INSERT INTO gateway.reading_inbox (device_id, metric, time, seq, version, value, decimals, flags, context)"
            " SELECT %s, 'body-weight', now() - n * interval '5 hours', n, 1, 60 + n, 1, %s, '{\"user-index\": 2}'"
            " FROM generate_series(1, 3) n",
            (scale, UNIT_NUMBERS["kg"]),
        )
    for day in range(days):
        for hour, level in ((7, 105), (12, 150), (19, 128)):
            at = now.replace(hour=hour, minute=(day * 7) % 60, second=0) - timedelta(days=day)
            if at < now:
                value = level + (day * 37 + hour * 11) % 61 - 35
                space.put("blood-glucose", str(value), at.isoformat(), device=meter, seq=day * 10 + hour)
        if day % 2 == 0:
            at = (now - timedelta(days=day)).replace(hour=7, minute=12) - timedelta(days=1)
            space.put("body-weight", f"{72.4 + (day % 7) * 0.15 + day * 0.03:.2f}", at.isoformat(), device=scale)
    at = (now - timedelta(hours=3)).isoformat()
    space.put("blood-pressure", {"systolic": "121", "diastolic": "79"}, at, device=cuff)
    return hub
