"""A vendor's answers: met, not met, or not applicable, each with an explanation and, if it helps, a document."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from app_catalog.criteria.criterion import CriteriaSet
from app_catalog.errors import Fault
from app_catalog.wiring import Connection
from app_catalog.words import marked

ANSWERS: Mapping[str, str] = {
    "met": marked("met"),
    "not_met": marked("not met"),
    "not_applicable": marked("not applicable"),
}
"""Names of the answers, as English msgids."""
MAX_EXPLANATION = 2000  # characters: what is longer belongs into a document

ANSWERS_OF = """SELECT code, answer, explanation, document_id FROM catalogue.answer WHERE application_id = %s
  ORDER BY code"""
ADD_ANSWER = """INSERT INTO catalogue.answer (application_id, set_version, code, answer, explanation, document_id)
  VALUES (%s, %s, %s, %s, %s, %s)"""

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]")


@dataclass(frozen=True)
class Answer:
    """`answer` is a key of ANSWERS; `document` is one of the application's documents."""

    answer: str
    explanation: str
    document: UUID | None = None


async def answers_of(connection: Connection, application_id: UUID) -> dict[str, Answer]:
    """The answers of an application that was submitted, by the code of the criterion."""
    rows = await (await connection.execute(ANSWERS_OF, (application_id,))).fetchall()
    return {row.code: Answer(row.answer, row.explanation, row.document_id) for row in rows}


async def keep_answers(
    connection: Connection, application_id: UUID, version: int, answers: Mapping[str, Answer]
) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            ADD_ANSWER,
            [
                (application_id, version, code, answer.answer, answer.explanation, answer.document)
                for code, answer in answers.items()
            ],
        )


def faults_of(answers: Mapping[str, Answer], criteria: CriteriaSet, *, exchanges_data: bool) -> Iterator[Fault]:
    """What keeps these answers from being submitted. A mandatory criterion that is not met does: there is no plan
    instead, an app that meets it next month applies next month."""
    for criterion in criteria.asked(exchanges_data=exchanges_data):
        pointer = f"/criteria/{criterion.code}"
        answer = answers.get(criterion.code)
        if answer is None or answer.answer not in ANSWERS:
            yield Fault(pointer, "This has no answer.")
        elif not answer.explanation.strip():
            yield Fault(pointer, "Explain the answer.")
        elif len(answer.explanation) > MAX_EXPLANATION or _UNPRINTABLE.search(answer.explanation):
            yield Fault(pointer, "This is too long, or has characters that cannot be shown.")
        elif criterion.mandatory and answer.answer == "not_met":
            yield Fault(pointer, "This is mandatory: an app that does not meet it cannot be submitted.")
