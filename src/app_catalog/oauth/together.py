"""Questions that come while the database answers others go to it together, in one statement.

Nobody waits for company: a question that finds the database idle is asked at once, and alone. Under load a statement
answers many, and what a statement and a commit cost is shared.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")

LANES = 2  # statements at a time: one is answered while the next is made
MOST = 64  # questions of a statement: those that one of them spoils are asked again, each alone


class Together(Generic[Question, Answer]):
    """One kind of question, for the event loop of a process.

    ask  gives the answers in the order of the questions, all in one statement; raises where one cannot be answered
    """

    def __init__(self, ask: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]]) -> None:
        self._ask = ask
        self._waiting: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        self._idle = LANES
        self._lanes: set[asyncio.Task[None]] = set()  # the event loop alone would not keep them

    async def answer(self, question: Question) -> Answer:
        """The answer to `question`. Raises what `ask` raises for this question alone."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._idle:
            self._idle -= 1
            lane = asyncio.create_task(self._work())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._settle([self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))])
        finally:
            self._idle += 1

    async def _settle(self, taken: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._ask([question for question, _ in taken])
            settled = list(zip(taken, answers, strict=True))
        except Exception as error:
            if len(taken) > 1:
                for one in taken:
                    await self._settle([one])
            elif not taken[0][1].done():
                taken[0][1].set_exception(error)
        except asyncio.CancelledError:
            for _, future in taken:
                future.cancel()
            raise
        else:
            for (_, future), answer in settled:
                if not future.done():
                    future.set_result(answer)
