"""Criteria, and the published set that an application answers. A published set never changes; a new one follows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from app_catalog.errors import WrongState
from app_catalog.wiring import Connection, Row, Texts
from app_catalog.words import marked

AREAS: Mapping[str, str] = {
    "security": marked("Security"),
    "interoperability": marked("Interoperability"),
    "ethics": marked("Ethics"),
    "accessibility": marked("Accessibility"),
    "sustainability": marked("Sustainability"),
}
"""Names of the areas, as English msgids."""

_SETS = """SELECT s.version, s.state, s.note, s.published_at,
    (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.position) FROM catalogue.criterion c
      WHERE c.set_version = s.version) AS criteria
  FROM catalogue.criteria_set s"""
CURRENT_SET = f"{_SETS} WHERE s.state = 'published' ORDER BY s.version DESC LIMIT 1"
SET_OF_VERSION = f"{_SETS} WHERE s.version = %s"
DRAFTED_SET = f"{_SETS} WHERE s.state = 'draft'"
PUBLISHED_SETS = f"{_SETS} WHERE s.state = 'published' ORDER BY s.version DESC"


@dataclass(frozen=True)
class Criterion:
    """One demand. `evidence` says what is asked to show that it is met, `source` where the demand comes from.

    exchange_only  asked only of apps that exchange data with the health space
    """

    code: str
    area: str
    mandatory: bool
    exchange_only: bool
    text: Texts
    help: Texts
    evidence: Texts
    source: str


@dataclass(frozen=True)
class CriteriaSet:
    """`published_at` is None for a draft."""

    version: int
    note: str
    published_at: datetime | None
    criteria: tuple[Criterion, ...]

    @cached_property
    def by_code(self) -> Mapping[str, Criterion]:
        return {criterion.code: criterion for criterion in self.criteria}

    def asked(self, *, exchanges_data: bool) -> tuple[Criterion, ...]:
        """Those that an app has to answer."""
        return tuple(criterion for criterion in self.criteria if exchanges_data or not criterion.exchange_only)


async def current_set(connection: Connection) -> CriteriaSet:
    """The newest published set. Raises WrongState where none ever was: the first one comes with the migrations."""
    found = _set(await (await connection.execute(CURRENT_SET)).fetchone())
    if found is None:
        raise WrongState("No criteria are published.")
    return found


async def set_of_version(connection: Connection, version: int) -> CriteriaSet | None:
    return _set(await (await connection.execute(SET_OF_VERSION, (version,))).fetchone())


async def drafted_set(connection: Connection) -> CriteriaSet | None:
    """The set that an operator is working on."""
    return _set(await (await connection.execute(DRAFTED_SET)).fetchone())


async def published_sets(connection: Connection) -> list[CriteriaSet]:
    """The newest first."""
    rows = await (await connection.execute(PUBLISHED_SETS)).fetchall()
    return [found for row in rows if (found := _set(row))]


def _set(row: Row | None) -> CriteriaSet | None:
    if row is None:
        return None
    return CriteriaSet(row.version, row.note, row.published_at, tuple(_criterion(c) for c in row.criteria or ()))


def _criterion(columns: Mapping[str, Any]) -> Criterion:
    """A row of `catalogue.criterion` as JSON."""
    return Criterion(
        code=columns["code"],
        area=columns["area"],
        mandatory=columns["mandatory"],
        exchange_only=columns["exchange_only"],
        text={"fr": columns["text_fr"], "en": columns["text_en"]},
        help={"fr": columns["help_fr"], "en": columns["help_en"]},
        evidence={"fr": columns["evidence_fr"], "en": columns["evidence_en"]},
        source=columns["source"],
    )
