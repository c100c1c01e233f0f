"""What the authorization server sees a tested client do by itself: counted per kind, with the latest detail.

Only clients in the space of a simulated patient are watched. Nothing of a token, a code or a state is kept: of a state
its digest, to see whether one comes twice.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from app_catalog.oauth.secret_text import sha256
from app_catalog.wiring import Connection, Row
from app_catalog.words import marked

ADD: Final = """INSERT INTO catalogue.client_observation (application_id, observation, good, times, first_at, last_at,
    detail)
  VALUES (%(application)s, %(observation)s, %(good)s, 1, %(now)s, %(now)s, %(detail)s)
  ON CONFLICT (application_id, observation, good) DO UPDATE SET times = client_observation.times + 1,
    last_at = excluded.last_at, detail = excluded.detail"""
SEE_STATE: Final = """INSERT INTO catalogue.seen_state (application_id, hash) VALUES (%s, %s) ON CONFLICT DO NOTHING"""
OBSERVATIONS: Final = """SELECT observation, good, times, last_at, detail
  FROM catalogue.client_observation WHERE application_id = %s"""

MIN_STATE: Final = 16  # characters: fewer could be guessed (RFC 9700 §4.7 wants one that cannot); clients send 20 to 40
MAX_DETAIL: Final = 200  # characters


class Observation(StrEnum):
    PKCE = "pkce"
    STATE = "state"
    FRESH_STATE = "fresh-state"
    REDIRECT_URI = "redirect-uri"
    CODE_ONCE = "code-once"
    CODE_IN_TIME = "code-in-time"
    VERIFIER = "verifier"
    SUCCESSOR = "successor"
    REFRESH_IN_TIME = "refresh-in-time"
    READ = "read"
    WITHIN = "within"

    @property
    def label(self) -> str:
        """For people, as an English msgid."""
        return LABELS[self]


LABELS = {
    Observation.PKCE: marked("Asks with PKCE and S256"),
    Observation.STATE: marked("Sends a state that cannot be guessed"),
    Observation.FRESH_STATE: marked("Sends another state each time"),
    Observation.REDIRECT_URI: marked("Names its redirect URI exactly"),
    Observation.CODE_ONCE: marked("Redeems a code once"),
    Observation.CODE_IN_TIME: marked("Redeems a code in time"),
    Observation.VERIFIER: marked("Shows the right code verifier"),
    Observation.SUCCESSOR: marked("Uses the newest refresh token"),
    Observation.REFRESH_IN_TIME: marked("Refreshes before the refresh token ends"),
    Observation.READ: marked("Reads with a token that works"),
    Observation.WITHIN: marked("Asks for no more than was granted"),
}


async def observe(
    connection: Connection,
    application_id: UUID,
    observation: Observation,
    now: datetime,
    *,
    good: bool,
    detail: str = "",
) -> None:
    values = {
        "application": application_id, "observation": observation.value, "good": good, "now": now,
        "detail": detail[:MAX_DETAIL],
    }  # fmt: skip
    await connection.execute(ADD, values)


async def observe_state(connection: Connection, application_id: UUID, state: str | None, now: datetime) -> None:
    """Whether there is a state, long enough, and one that this client has not sent before."""
    good = state is not None and len(state) >= MIN_STATE
    await observe(connection, application_id, Observation.STATE, now, good=good)
    if state is not None:
        new = (await connection.execute(SEE_STATE, (application_id, sha256(state)))).rowcount == 1
        await observe(connection, application_id, Observation.FRESH_STATE, now, good=new)


async def observations_of(connection: Connection, application_id: UUID) -> dict[Observation, dict[bool, Row]]:
    """By kind, then by whether it was good."""
    found: dict[Observation, dict[bool, Row]] = {}
    for row in await (await connection.execute(OBSERVATIONS, (application_id,))).fetchall():
        if row.observation in set(Observation):
            found.setdefault(Observation(row.observation), {})[row.good] = row
    return found
