"""What a decision still lacks: the list that the reviewers' page shows and that a decision is held against."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from app_catalog.interoperability.evidence import is_shown
from app_catalog.review.agreement import NONE_ACCEPTED, newest_agreement
from app_catalog.review.dossier import ADMISSIBLE, NOT_ADMISSIBLE, Dossier
from app_catalog.review.evaluation import Recommendation, evaluations_of, handed_in
from app_catalog.review.opinion import NO_QUORUM, opinion_of
from app_catalog.wiring import Connection, Person
from app_catalog.words import marked

NO_OPINION = marked("There is no opinion yet.")
UNFAVOURABLE = marked("The opinion is unfavourable.")
OWN_OPINION = marked("Somebody else than the author of the opinion decides.")
NOT_SHOWN = marked("Interoperability has not been shown on this version.")
NOT_COVERED = marked("The agreement does not hold on this day.")


@dataclass(frozen=True)
class Case:
    """An application before its decision: who would decide, and when. `quorum` counts evaluations."""

    connection: Connection
    dossier: Dossier
    person: Person
    now: datetime
    quorum: int


async def admissible(case: Case) -> str | None:
    return None if case.dossier.state == ADMISSIBLE else NOT_ADMISSIBLE


async def evaluated(case: Case) -> str | None:
    done = handed_in(await evaluations_of(case.connection, case.dossier.id))
    return None if len(done) >= case.quorum else NO_QUORUM


async def opined(case: Case) -> str | None:
    return None if await opinion_of(case.connection, case.dossier.id) else NO_OPINION


async def favourable(case: Case) -> str | None:
    opinion = await opinion_of(case.connection, case.dossier.id)
    return UNFAVOURABLE if opinion and opinion.verdict is Recommendation.UNFAVOURABLE else None


async def of_four_eyes(case: Case) -> str | None:
    """Whoever wrote the opinion does not decide on it: at least two people stand for every decision."""
    opinion = await opinion_of(case.connection, case.dossier.id)
    return OWN_OPINION if opinion and opinion.written_by == case.person.id else None


async def interoperable(case: Case) -> str | None:
    if not case.dossier.exchanges_data or await is_shown(case.connection, case.dossier.id):
        return None
    return NOT_SHOWN


async def agreed(case: Case) -> str | None:
    agreement = await newest_agreement(case.connection, case.dossier.id)
    if agreement is None or agreement.accepted_at is None:
        return NONE_ACCEPTED
    return None if agreement.covers(case.now.date()) else NOT_COVERED


Requirement = Callable[[Case], Awaitable[str | None]]
TO_REFUSE: tuple[Requirement, ...] = (admissible, evaluated, opined, of_four_eyes)
TO_APPROVE: tuple[Requirement, ...] = (
    admissible, evaluated, opined, favourable, of_four_eyes, interoperable, agreed,
)  # fmt: skip


async def missing(case: Case, requirements: tuple[Requirement, ...]) -> list[str]:
    """What is not met, as English msgids."""
    found = [await requirement(case) for requirement in requirements]
    return [lack for lack in found if lack is not None]
