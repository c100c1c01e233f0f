"""Two versions of an app's purposes side by side, word by word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from app_catalog.applications.difference import Change as Difference
from app_catalog.catalogue.apps import App, Purpose, purpose_from
from app_catalog.consents.reapproval import Question
from app_catalog.consents.wording import in_plain_words
from app_catalog.wiring import Connection, DataPlane, Language

# What the patient agreed to last; where they did not agree to a purpose, what the version before said of it.
AGREED = """SELECT to_jsonb(p) AS purpose FROM catalogue.consent c JOIN catalogue.purpose p ON p.id = c.purpose_id
  WHERE c.pairing_id = %s AND c.withdrawn_at IS NULL"""
FORMER = "SELECT to_jsonb(p) AS purpose FROM catalogue.purpose p WHERE application_id = %s ORDER BY position"

Kind = Literal["same", "changed", "new", "gone"]
Pieces = Sequence[tuple[Literal["same", "gone", "new"], str]]


@dataclass(frozen=True)
class Change:
    """What became of a purpose. `former` is what the patient was shown, None for a new one; `purpose` is what it says
    now, None where it is gone. `agreed`: the patient agrees to `former`."""

    kind: Kind
    former: Purpose | None
    purpose: Purpose | None
    agreed: bool


@dataclass(frozen=True)
class Compared:
    """The words of a purpose before and now in one, each run of them marked ``same``, ``gone`` or ``new``."""

    name: Pieces
    text: Pieces
    reads: Pieces
    writes: Pieces
    days: Pieces


async def changes(connection: Connection, question: Question, app: App) -> list[Change]:
    """What became of each purpose, those of the version in force first. Inside `space` of the patient."""
    agreed = await _purposes(connection, AGREED, question.pairing_id)
    former = await _purposes(connection, FORMER, question.former_application_id) | agreed
    found = [_change(former.get(purpose.key), purpose, purpose.key in agreed) for purpose in app.purposes]
    now = {purpose.key for purpose in app.purposes}
    return found + [Change("gone", purpose, None, key in agreed) for key, purpose in former.items() if key not in now]


def compared(change: Change, language: Language, data_plane: DataPlane) -> Compared:
    """What the patient was told and what they are told now, word by word."""
    former = _told(change.former, language, data_plane)
    present = _told(change.purpose, language, data_plane)
    return Compared(*(Difference("", was, now).pieces for was, now in zip(former, present, strict=True)))


def _told(purpose: Purpose | None, language: Language, data_plane: DataPlane) -> tuple[str, str, str, str, str]:
    if purpose is None:
        return ("", "", "", "", "")
    reads, writes = (in_plain_words(scopes, language, data_plane) for scopes in (purpose.reads, purpose.writes))
    days = str(purpose.retention_days)
    return (purpose.name[language], purpose.wording[language], ", ".join(reads), ", ".join(writes), days)


def _change(former: Purpose | None, purpose: Purpose, agreed: bool) -> Change:
    if former is None:
        return Change("new", None, purpose, agreed=False)
    return Change("same" if former.same_as == purpose.same_as else "changed", former, purpose, agreed)


async def _purposes(connection: Connection, sql: str, parameter: UUID) -> dict[str, Purpose]:
    rows = await (await connection.execute(sql, (parameter,))).fetchall()
    return {purpose.key: purpose for row in rows for purpose in [purpose_from(row.purpose)]}
