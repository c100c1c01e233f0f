"""Plain refreshes: one look at the database and one statement that writes, each shared by all who come meanwhile."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from starlette.responses import Response

from app_catalog.clients.proof import Proof
from app_catalog.clients.registered import registered_client
from app_catalog.oauth.client_authentication import Presented
from app_catalog.oauth.decision import Decision
from app_catalog.oauth.endpoint import decided
from app_catalog.oauth.look import PRESENTED_TOKENS, looks
from app_catalog.oauth.secret_text import sha256
from app_catalog.oauth.server import Request, Server
from app_catalog.oauth.together import Together
from app_catalog.oauth.writes import REFRESH
from app_catalog.wiring import CatalogueEvent, Wiring

Written = tuple[CatalogueEvent, Mapping[str, Any]]


class Refreshes:
    """Those of a process that take no lock before they are decided."""

    def __init__(self, wiring: Wiring, server: Server) -> None:
        self._wiring, self._server = wiring, server
        self._looks = looks(PRESENTED_TOKENS, wiring)
        self._writes = Together(self._write)

    async def answer(self, presented: Presented, request: Request, proof: Proof | None) -> Response | None:
        """Tokens or an error, once what it takes is committed. None where it takes more than one statement, or somebody
        else used the token in between: then it has to be decided again, under a lock."""
        row = await self._looks.answer(sha256(presented.fields.text("refresh_token")))
        client = registered_client(row, presented.client_id)
        if client is None:
            return None
        decision = Decision(client, row, self._wiring.clock(), proof)
        response = decided(decision, lambda: self._server.create_token_response(request))
        if decision.revoke is not None or decision.always or decision.issue:
            return None
        if decision.refresh is None or response.status_code >= 400:
            return None if decision.events else response
        (event,) = decision.events
        return response if await self._writes.answer((event, decision.refresh)) else None

    async def _write(self, asked: Sequence[Written]) -> list[bool]:
        """In the order of spaces, in which no two statements wait for each other."""
        order = sorted(range(len(asked)), key=lambda n: (asked[n][1]["space"], asked[n][1]["hash"]))
        async with self._wiring.pool.connection() as connection:
            written = await self._wiring.journal.write_each_with(connection, REFRESH, [asked[n] for n in order])
        return [was for _, was in sorted(zip(order, written, strict=True), key=itemgetter(0))]
