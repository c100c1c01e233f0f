"""Finding apps in the public list: words, theme, region, price, exchange of data, and which data is read or written.

Everything but the data is decided by the database; that depends on how scopes include each other. The list is small
enough to be gone through: apps are reviewed one by one.
"""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from app_catalog.applications.published import ECONOMIC_MODELS, REGIONS, THEMES
from app_catalog.catalogue.status import EFFECTS
from app_catalog.errors import BadForm
from app_catalog.form import Fields
from app_catalog.scopes.evaluation import ValueSets, covers
from app_catalog.scopes.grammar import Letter, Scope, parse
from app_catalog.scopes.narrowing import includes
from app_catalog.wiring import Choice, Connection, Wiring

LISTED: Final = tuple(status for status, effect in EFFECTS.items() if effect.listed)
PAGE: Final = 24  # apps: divisible by the two, three or four columns of a screen
MAX_PAGE: Final = 1000
ANY: Final[Letter] = "r"  # the one letter under which scopes are compared: reading and writing are told apart before
MAX_WORDS: Final = 8  # nobody types more, and each is looked for in every text

# Words are found in what patients read of an app: names, its description and its purposes, in both languages.
PREPARE: Final = """INSERT INTO catalogue.search_text (application_id, words)
  SELECT v.id, catalogue.plain(concat_ws(' ', v.name, n.name, v.description_fr, v.description_en,
    (SELECT string_agg(concat_ws(' ', name_fr, name_en, wording_fr, wording_en), ' ') FROM catalogue.purpose
      WHERE application_id = v.id)))
  FROM catalogue.app a JOIN catalogue.vendor n ON n.id = a.vendor_id
  JOIN catalogue.application v ON v.id = a.application_id
  WHERE a.status = ANY(%(statuses)s)
    AND NOT EXISTS (SELECT FROM catalogue.search_text t WHERE t.application_id = v.id)
  ON CONFLICT DO NOTHING"""
FIND: Final = """SELECT a.id, coalesce(p.reads, '') AS reads, coalesce(p.writes, '') AS writes
  FROM catalogue.app a JOIN catalogue.application v ON v.id = a.application_id
  LEFT JOIN catalogue.search_text t ON t.application_id = v.id
  CROSS JOIN LATERAL (SELECT string_agg(read_scope, ' ') AS reads, string_agg(write_scope, ' ') AS writes
    FROM catalogue.purpose WHERE application_id = v.id) p
  WHERE a.status = ANY(%(statuses)s)
    AND (%(theme)s::text IS NULL OR %(theme)s = ANY(v.themes))
    AND (%(region)s::text IS NULL OR v.regions = '{}' OR %(region)s = ANY(v.regions))
    AND (%(price)s::text IS NULL OR %(price)s = v.economic_model)
    AND (%(exchange)s::boolean IS NULL OR %(exchange)s = v.exchanges_data)
    AND NOT EXISTS (SELECT FROM unnest(%(words)s::text[]) word WHERE strpos(t.words, word) = 0)
  ORDER BY catalogue.plain(v.name), a.id"""
PLAIN: Final = "SELECT catalogue.plain(word) AS word FROM unnest(%s::text[]) word"


@dataclass(frozen=True)
class Filter:
    """What is asked for; None, or no words, for everything. `reads` and `writes` are keys of `Wiring.choices`."""

    words: tuple[str, ...] = ()
    theme: str | None = None
    region: str | None = None
    price: str | None = None
    exchange: bool | None = None
    reads: str | None = None
    writes: str | None = None
    page: int = 1

    @property
    def is_everything(self) -> bool:
        return replace(self, page=1) == Filter()

    def query(self, page: int | None = None) -> str:
        """As a query string, for another page."""
        fields = {
            "q": " ".join(self.words),
            "theme": self.theme,
            "region": self.region,
            "price": self.price,
            "exchange": None if self.exchange is None else ("yes" if self.exchange else "no"),
            "reads": self.reads,
            "writes": self.writes,
            "page": str(page or self.page),
        }
        return urlencode({name: value for name, value in fields.items() if value})


@dataclass(frozen=True)
class Found:
    """One page of ids, and how many there are over all pages."""

    ids: tuple[UUID, ...]
    total: int
    page: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE))


def filter_from(fields: Fields, choices: tuple[Choice, ...]) -> Filter:
    """What a query string asks for. Raises BadForm for a value that is none of those offered."""
    keys = {choice.key for choice in choices}
    exchange, page = fields.get("exchange"), fields.get("page") or "1"
    if exchange not in {None, "yes", "no"} or not (page.isascii() and page.isdecimal()) or len(page) > 4:
        raise BadForm
    words = tuple(fields.text("q").split())
    if len(words) > MAX_WORDS or not 1 <= int(page) <= MAX_PAGE:
        raise BadForm
    return Filter(
        words=words,
        theme=_one_of(fields.get("theme"), THEMES),
        region=_one_of(fields.get("region"), REGIONS),
        price=_one_of(fields.get("price"), ECONOMIC_MODELS),
        exchange=None if exchange is None else exchange == "yes",
        reads=_one_of(fields.get("reads"), keys),
        writes=_one_of(fields.get("writes"), keys),
        page=int(page),
    )


async def find(wiring: Wiring, connection: Connection, wanted: Filter) -> Found:
    """The page of `wanted`, in the order of names; an empty one behind the last."""
    statuses, words = [status.value for status in LISTED], []
    if wanted.words:
        await connection.execute(PREPARE, {"statuses": statuses})
        words = [row.word for row in await (await connection.execute(PLAIN, (list(wanted.words),))).fetchall()]
    parameters = {
        "statuses": statuses, "theme": wanted.theme, "region": wanted.region, "price": wanted.price,
        "exchange": wanted.exchange, "words": words,
    }  # fmt: skip
    rows = await (await connection.execute(FIND, parameters)).fetchall()
    by_key = {choice.key: choice for choice in wiring.choices}
    if wanted.reads:
        rows = [row for row in rows if opens(row.reads, by_key[wanted.reads], wiring.value_sets)]
    if wanted.writes:
        rows = [row for row in rows if opens(row.writes, by_key[wanted.writes], wiring.value_sets)]
    first = (wanted.page - 1) * PAGE
    return Found(tuple(row.id for row in rows[first : first + PAGE]), len(rows), wanted.page)


def opens(scope: str, data: Choice, value_sets: ValueSets) -> bool:
    """Whether `scope` of an app, to read or to write, opens `data`: one measurement, or all of a wider choice."""
    wanted = parse(data.read_scope or data.write_scope or "").resources
    return any(_opens(replace(one, letters=ANY), replace(other, letters=ANY), data, value_sets)
               for one in parse(scope).resources for other in wanted)  # fmt: skip


def _opens(given: Scope, wanted: Scope, data: Choice, value_sets: ValueSets) -> bool:
    codes = [
        value for constraint in wanted.constraints if constraint.parameter == "code" for value in constraint.values
    ]
    if not codes:
        return includes(given, wanted)
    return covers([given], wanted.resource_type, ANY, codes=codes, categories=data.categories, value_sets=value_sets)


def _one_of(value: str | None, offered: Container[str]) -> str | None:
    if value is not None and value not in offered:
        raise BadForm
    return value
