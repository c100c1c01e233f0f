"""Looking codes and tokens up by their hash, with all that says what they are worth at this moment.

Each question has the columns that it needs, and reads them by itself: that takes as long as finding the row.
"""

from collections import namedtuple
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from psycopg.rows import tuple_row

from app_catalog.oauth.secret_text import sha256
from app_catalog.oauth.together import Together
from app_catalog.wiring import Connection, Row, Wiring


@dataclass(frozen=True)
class Look:
    """`columns` of what `function` of the database finds for a hash at a time."""

    columns: tuple[str, ...]
    function: str

    @cached_property
    def sql(self) -> str:
        return f"SELECT {', '.join(self.columns)} FROM {self.function}(%s, %s)"

    @cached_property
    def facts(self) -> Any:
        """The class of its rows."""
        make: Any = namedtuple  # mypy wants names that it can read
        return make("Facts", self.columns)

    async def at(self, connection: Connection, secret: str, now: datetime) -> Row | None:
        """The row of the code or token `secret`; None for one that never was."""
        cursor = connection.cursor(row_factory=tuple_row)
        await cursor.execute(self.sql, (sha256(secret), now))
        values = await cursor.fetchone()
        return None if values is None else self.facts._make(values)


@dataclass(frozen=True)
class TogetherLook(Look):
    """The same of several hashes. The first column is the hash."""

    async def all_of(self, connection: Connection, wanted: Sequence[bytes], now: datetime) -> list[Row | None]:
        """The row of each of the hashes `wanted`, None for one that never was."""
        cursor = connection.cursor(row_factory=tuple_row)
        await cursor.execute(self.sql, (list(set(wanted)), now))
        found = {values[0]: self.facts._make(values) for values in await cursor.fetchall()}
        return [found.get(hash_) for hash_ in wanted]


Tokens = Together[bytes, Row | None]


def looks(look: TogetherLook, wiring: Wiring) -> Tokens:
    """`look` for a process whose requests share what they ask: the row of a hash, None for one that never was."""

    async def ask(wanted: Sequence[bytes]) -> list[Row | None]:
        async with wiring.pool.connection() as connection:
            return await look.all_of(connection, wanted, wiring.clock())

    return Together(ask)


# What is consented to comes as text: `consents.effect` reads each text once.
_CHECK = (
    "expires_at", "used_at", "pairing_id", "grant_expires_at", "grant_revoked_at", "app_id", "client_id", "app_status",
    "consented", "waits_for_answer", "in_sandbox",
)  # fmt: skip
_GRANT = ("hash", "grant_id", "subject", "person", "grant_scope", "app_name", "profile", *_CHECK)
_ITSELF = ("kind", "scope", "revoked_at", "certificate")
_SECRETS = ("secret_hash", "former_secret_hash", "former_secret_until")

OPEN_CODE = Look(("redirect_uri", "code_challenge", "tested_application", *_GRANT), "catalogue.open_code")
OPEN_TOKEN = Look(("sealed", "tested_application", *_ITSELF, *_GRANT), "catalogue.open_token")
STATE_OF_TOKEN = Look(
    ("grant_id", "subject", "person", "app_name", "tested_application", *_ITSELF, *_CHECK), "catalogue.grant_of_token"
)
PRESENTED_TOKENS = TogetherLook((*_GRANT, "sealed", *_SECRETS, *_ITSELF), "catalogue.grants_of_tokens")
INTROSPECTED_TOKENS = TogetherLook(
    ("hash", "issued_at", "profile", *_SECRETS, *_ITSELF, *_CHECK), "catalogue.grants_of_tokens"
)
