"""A whole review at once, in worlds where no client runs that the product could test: a reviewer attests."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app_catalog import App, Journal, Person
from app_catalog.review.attestation import attest_interoperability
from app_catalog.review.evaluation import Recommendation
from app_catalog.wiring import Connection
from device_simulators.demo.approval import conclude, evaluate

SHOWN_ELSEWHERE = "Its client was run by its maker."


async def approve(
    connection: Connection,
    application_id: UUID,
    *,
    reviewers: Sequence[Person],
    journal: Journal,
    now: datetime,
    **options: Any,
) -> App:
    """The first of two `reviewers` attests and writes the opinion, the second decides. `options` as of `conclude`."""
    by: dict[str, Any] = {"journal": journal, "now": now}
    async with connection.transaction():
        await evaluate(connection, application_id, Recommendation.FAVOURABLE, reviewers=reviewers, **by)
        await attest_interoperability(connection, application_id, SHOWN_ELSEWHERE, person=reviewers[0], **by)
        return await conclude(connection, application_id, reviewers=reviewers, **by, **options)
