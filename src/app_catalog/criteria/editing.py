"""The next set of criteria: begun as a copy of the present one, edited by an operator, published once and for all."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from app_catalog.criteria.criterion import AREAS, CriteriaSet, Criterion, current_set, drafted_set
from app_catalog.errors import Fault, NotAllowed, Unacceptable, Unknown, WrongState
from app_catalog.events import EventName
from app_catalog.wiring import CatalogueEvent, Connection, Journal, Person
from app_catalog.words import marked

EDITORS = frozenset({"operator"})
MAX_CRITERIA = 200
MAX_TEXT = 1000  # characters of any of a criterion's texts
TEXTS: Mapping[str, str] = {
    "text_fr": marked("Criterion in French"),
    "text_en": marked("Criterion in English"),
    "help_fr": marked("Help in French"),
    "help_en": marked("Help in English"),
    "evidence_fr": marked("What is asked as evidence, in French"),
    "evidence_en": marked("What is asked as evidence, in English"),
    "source": marked("Where the demand comes from"),
}
"""Names of the texts, as English msgids."""

# One editor at a time: taken before the draft is looked at, given back with the transaction.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('catalogue.criteria_set', 0))"
BEGIN = "INSERT INTO catalogue.criteria_set (version, state, created_at) VALUES (%s, 'draft', %s)"
ADD = """INSERT INTO catalogue.criterion (set_version, code, position, area, mandatory, exchange_only, text_fr, text_en,
    help_fr, help_en, evidence_fr, evidence_en, source)
  VALUES (%(version)s, %(code)s, %(position)s, %(area)s, %(mandatory)s, %(exchange_only)s, %(text_fr)s, %(text_en)s,
    %(help_fr)s, %(help_en)s, %(evidence_fr)s, %(evidence_en)s, %(source)s)"""
REMOVE = "DELETE FROM catalogue.criterion WHERE set_version = %s AND code = %s"
PUBLISH = """UPDATE catalogue.criteria_set SET state = 'published', note = %s, published_at = %s, published_by = %s
  WHERE version = %s"""

_CODE = re.compile(r"[A-Z]{2,6}-[0-9]{2,3}")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]")


async def begin_set(connection: Connection, *, person: Person, now: datetime) -> int:
    """A draft with all that the present set says; returns its version. Raises NotAllowed or WrongState."""
    async with connection.transaction():
        await _lock(connection, person)
        if await drafted_set(connection):
            raise WrongState("A new set of criteria is being prepared already.")
        former = await current_set(connection)
        await connection.execute(BEGIN, (former.version + 1, now))
        await _write(connection, former.version + 1, former.criteria)
        return former.version + 1


async def save_criterion(connection: Connection, former: str | None, criterion: Criterion, *, person: Person) -> None:
    """Put `criterion` into the draft in the place of the one with the code `former`, or after all others of its area.

    Raises NotAllowed, Unknown without a draft or a criterion of that code, or Unacceptable.
    """
    async with connection.transaction():
        drafted = await _drafted(connection, person)
        codes = [one.code for one in drafted.criteria if one.code != former]
        if former is not None and len(codes) == len(drafted.criteria):
            raise Unknown
        if faults := list(_faults(criterion, codes)):
            raise Unacceptable(*faults)
        kept = [criterion if one.code == former else one for one in drafted.criteria]
        await _replace(connection, drafted, kept if former is not None else [*kept, criterion])


async def remove_criterion(connection: Connection, code: str, *, person: Person) -> None:
    """Take a criterion out of the draft. Raises NotAllowed or Unknown."""
    async with connection.transaction():
        drafted = await _drafted(connection, person)
        await _replace(connection, drafted, [one for one in drafted.criteria if one.code != code])


async def publish_set(
    connection: Connection, version: int, *, note: str, person: Person, journal: Journal, now: datetime
) -> None:
    """From now on applications answer the draft, which is `version`. Raises NotAllowed, Unknown or Unacceptable."""
    async with connection.transaction():
        drafted = await _drafted(connection, person)
        if drafted.version != version:
            raise WrongState
        if not drafted.criteria or not note.strip() or len(note) > MAX_TEXT or _UNPRINTABLE.search(note):
            raise Unacceptable(Fault("/note", "Say what is new in this set."))
        await connection.execute(PUBLISH, (note.strip(), now, person.id, version))
        await journal.write(
            connection,
            CatalogueEvent(
                EventName.CRITERIA_PUBLISHED,
                None,
                person.kind,
                person.id,
                person.display_name,
                f"criteria/{version}",
                reason=note.strip(),
            ),
        )


def changed_codes(former: CriteriaSet, drafted: CriteriaSet) -> dict[str, str]:
    """What the draft changes: an English msgid by the code of the criterion."""
    changes = {}
    for code in [*drafted.by_code, *(code for code in former.by_code if code not in drafted.by_code)]:
        before, after = former.by_code.get(code), drafted.by_code.get(code)
        if before is None:
            changes[code] = marked("new")
        elif after is None:
            changes[code] = marked("taken out")
        elif before != after:
            changes[code] = marked("changed")
    return changes


async def _lock(connection: Connection, person: Person) -> None:
    if person.kind not in EDITORS:
        raise NotAllowed
    await connection.execute(LOCK)


async def _drafted(connection: Connection, person: Person) -> CriteriaSet:
    await _lock(connection, person)
    drafted = await drafted_set(connection)
    if drafted is None:
        raise Unknown
    return drafted


async def _replace(connection: Connection, drafted: CriteriaSet, criteria: list[Criterion]) -> None:
    """Write the whole set anew, area by area: it is small, and its order is part of it."""
    for one in drafted.criteria:
        await connection.execute(REMOVE, (drafted.version, one.code))
    areas = list(AREAS)
    await _write(connection, drafted.version, tuple(sorted(criteria, key=lambda one: areas.index(one.area))))


async def _write(connection: Connection, version: int, criteria: tuple[Criterion, ...]) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            ADD, [_row(one) | {"version": version, "position": place} for place, one in enumerate(criteria)]
        )


def _row(criterion: Criterion) -> dict[str, object]:
    texts = {
        f"{name}_{language}": said[language].strip()
        for name, said in (("text", criterion.text), ("help", criterion.help), ("evidence", criterion.evidence))
        for language in ("fr", "en")
    }
    return texts | {
        "code": criterion.code,
        "area": criterion.area,
        "mandatory": criterion.mandatory,
        "exchange_only": criterion.exchange_only,
        "source": criterion.source.strip(),
    }


def _faults(criterion: Criterion, others: list[str]) -> Iterator[Fault]:
    if not _CODE.fullmatch(criterion.code):
        yield Fault("/code", "A code has capital letters, a hyphen and digits, for instance SEC-11.")
    elif criterion.code in others:
        yield Fault("/code", "Another criterion has this code.")
    if criterion.area not in AREAS:
        yield Fault("/area", "Choose one of these.")
    if len(others) >= MAX_CRITERIA:
        yield Fault("/code", "A set has at most 200 criteria.")
    row = _row(criterion)
    for name in TEXTS:
        text = str(row[name])
        if not text or len(text) > MAX_TEXT or _UNPRINTABLE.search(text):
            yield Fault(f"/{name}", "This is needed, in at most 1000 characters.")
