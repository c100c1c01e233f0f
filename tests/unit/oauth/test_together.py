"""Questions that share a statement: what is asked, with whom, and whose error is whose."""

import asyncio
from collections.abc import Sequence

import pytest

from app_catalog.oauth.together import LANES, MOST, Together


class Database:
    """Doubles numbers, when it is let. Negative ones spoil their statement."""

    def __init__(self) -> None:
        self.statements: list[list[int]] = []
        self.let = asyncio.Event()
        self.together = Together(self.ask)

    async def ask(self, questions: Sequence[int]) -> list[int]:
        self.statements.append(list(questions))
        await self.let.wait()
        if any(question < 0 for question in questions):
            raise ValueError(f"one of {len(questions)}")
        return [2 * question for question in questions]

    async def asked(self, *questions: int) -> list[asyncio.Task[int]]:
        """`questions` one after the other, each before any is answered."""
        tasks = []
        for question in questions:
            tasks.append(asyncio.create_task(self.together.answer(question)))
            for _ in range(3):
                await asyncio.sleep(0)
        return tasks


async def test_a_question_that_finds_the_database_idle_is_asked_at_once_and_alone() -> None:
    database = Database()
    (task,) = await database.asked(21)
    assert database.statements == [[21]]
    database.let.set()
    assert await task == 42


async def test_what_comes_while_all_lanes_are_busy_is_asked_together_and_each_gets_its_own_answer() -> None:
    database = Database()
    tasks = await database.asked(*range(10))
    assert database.statements == [[n] for n in range(LANES)]
    database.let.set()
    assert await asyncio.gather(*tasks) == [2 * n for n in range(10)]
    assert database.statements[LANES] == list(range(LANES, 10))


async def test_a_statement_has_a_bounded_number_of_questions() -> None:
    database = Database()
    tasks = await database.asked(*range(LANES + MOST + 1))
    database.let.set()
    await asyncio.gather(*tasks)
    assert max(len(statement) for statement in database.statements) == MOST


async def test_a_question_that_spoils_a_statement_has_its_error_alone_and_the_others_have_their_answers() -> None:
    database = Database()
    tasks = await database.asked(*range(LANES), 5, -1, 7)
    database.let.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers[-3:-2] + answers[-1:] == [10, 14]
    assert str(answers[-2]) == "one of 1"


async def test_who_no_longer_waits_holds_up_nobody() -> None:
    database = Database()
    tasks = await database.asked(*range(LANES), 5, 6)
    tasks[-2].cancel()
    database.let.set()
    assert await tasks[-1] == 12
    again = await database.asked(8)
    assert await again[0] == 16


async def test_after_an_error_the_next_questions_are_asked_as_before() -> None:
    database = Database()
    database.let.set()
    for _ in range(LANES + 1):
        (task,) = await database.asked(-1)
        with pytest.raises(ValueError, match="one of 1"):
            await task
    assert await database.together.answer(4) == 8
