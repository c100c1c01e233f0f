"""What a model of grants keeps in mind, and the host and the apps that it is held against."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from catalogue_host import GLUCOSE, GLUCOSE_SCOPE, WEIGHT, WEIGHT_SCOPE, Host, application, purpose

from device_gateway.database.pool import open_pool
from device_simulators.demo.submission import submit

CODES = {"weight": WEIGHT, "glucose": GLUCOSE}
SCOPES = {"weight": WEIGHT_SCOPE, "glucose": GLUCOSE_SCOPE}


class StillHost(Host):
    """Its clock stands still but for what a test lets pass."""

    instant = datetime.now(UTC)

    def now(self) -> datetime:
        return self.instant + self.offset


@dataclass
class World:
    """What all runs share: the host, and for each profile an app whose versions only ever follow each other."""

    host: StillHost
    loop: asyncio.Runner
    apps: dict[str, Any] = field(default_factory=dict)
    wording: dict[str, dict[str, int]] = field(default_factory=dict)  # which text each purpose of each app has in force

    def run(self, doing: Any) -> Any:
        return self.loop.run(doing)


@dataclass
class Grant:
    ends: datetime
    revoked: bool = False


@dataclass
class Code:
    text: str
    verifier: str
    grant: Grant
    expires: datetime
    used: bool = False


@dataclass
class Access:
    text: str
    grant: Grant
    scope: frozenset[str]
    expires: datetime
    revoked: bool = False


@dataclass
class Refresh:
    text: str
    grant: Grant
    expires: datetime
    used: datetime | None = None
    answer: dict[str, Any] = field(default_factory=dict)


@contextmanager
def opened_world(app_url: str, loop: asyncio.Runner) -> Iterator[World]:
    """A world on that database, with an app of either kind in service."""
    pool = open_pool(app_url, "gateway_app")
    loop.run(pool.open())
    world = World(StillHost(pool), loop)
    for profile in ("smart-public", "smart-secret"):
        world.wording[profile] = {"weight": 0, "glucose": 0}
        world.apps[profile] = loop.run(world.host.approved(profile, **described(world.wording[profile])))
    yield world
    loop.run(pool.close())


def described(texts: dict[str, int]) -> dict[str, Any]:
    return {
        "purposes": tuple(
            purpose(key, read_scope=SCOPES[key], wording={"fr": f"Pour {key}, {text}.", "en": f"For {key}, {text}."})
            for key, text in texts.items()
        )
    }


async def approve_version(world: World, profile: str, texts: dict[str, int]) -> None:
    host, app = world.host, world.apps[profile]
    async with host.pool.connection() as connection, connection.transaction():
        row = await (
            await connection.execute("SELECT vendor_id FROM catalogue.app WHERE id = %s", (app.app_id,))
        ).fetchone()
        version = application(profile=profile, changes={"fr": "Autre.", "en": "Other."}, **described(texts))
        submitted = await submit(
            connection, version, vendor_id=row.vendor_id, app_id=app.app_id, documents=(),  # those of before are kept
            person=app.vendor, journal=host.journal, now=host.now(),
        )  # fmt: skip
        await host.approve(connection, submitted.application_id, app.vendor)
