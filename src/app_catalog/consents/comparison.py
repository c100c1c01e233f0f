"""Two versions of an app's purposes side by side, word by word."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal
from uuid import UUID

from app_catalog.catalogue.apps import App, Purpose, purpose_from
from app_catalog.consents.reapproval import Question
from app_catalog.wiring import Connection

# What the patient agreed to last; where they did not agree to a purpose, what the version before said of it.
AGREED = """SELECT to_jsonb(p) AS purpose FROM catalogue.consent c JOIN catalogue.purpose p ON p.id = c.purpose_id
  WHERE c.pairing_id = %s AND c.withdrawn_at IS NULL"""
FORMER = "SELECT to_jsonb(p) AS purpose FROM catalogue.purpose p WHERE application_id = %s ORDER BY position"
WORDS = re.compile(r"\w+|\s+|[^\w\s]")

Kind = Literal["same", "changed", "new", "gone"]


@dataclass(frozen=True)
class Piece:
    """A run of text: in both versions, or in one of them only."""

    text: str
    kind: Literal["both", "old", "new"]


@dataclass(frozen=True)
class Change:
    """What became of a purpose. `former` is what the patient was shown, None for a new one; `purpose` is what it says
    now, None where it is gone. `agreed`: the patient agrees to `former`."""

    kind: Kind
    former: Purpose | None
    purpose: Purpose | None
    agreed: bool


async def changes(connection: Connection, question: Question, app: App) -> list[Change]:
    """What became of each purpose, those of the version in force first. Inside `space` of the patient."""
    agreed = await _purposes(connection, AGREED, question.pairing_id)
    former = await _purposes(connection, FORMER, question.former_application_id) | agreed
    found = [_change(former.get(purpose.key), purpose, purpose.key in agreed) for purpose in app.purposes]
    now = {purpose.key for purpose in app.purposes}
    return found + [Change("gone", purpose, None, key in agreed) for key, purpose in former.items() if key not in now]


def pieces(former: str, present: str) -> tuple[Piece, ...]:
    """Both texts in one, word by word."""
    old, new = WORDS.findall(former), WORDS.findall(present)
    told: list[Piece] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            told.append(Piece("".join(old[a:b]), "both"))
            continue
        if b > a:
            told.append(Piece("".join(old[a:b]), "old"))
        if d > c:
            told.append(Piece("".join(new[c:d]), "new"))
    return tuple(told)


def _change(former: Purpose | None, purpose: Purpose, agreed: bool) -> Change:
    if former is None:
        return Change("new", None, purpose, agreed=False)
    return Change("same" if former.same_as == purpose.same_as else "changed", former, purpose, agreed)


async def _purposes(connection: Connection, sql: str, parameter: UUID) -> dict[str, Purpose]:
    rows = await (await connection.execute(sql, (parameter,))).fetchall()
    return {purpose.key: purpose for row in rows for purpose in [purpose_from(row.purpose)]}
