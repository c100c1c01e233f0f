"""``/operator/quarantine``: payloads that were not understood, by kind of trouble; a look at one; taking them in again.

For operators only, which the database checks once more. A look at a payload is in the journal of the patient whose
device sent it; a replay is done by a job, with the rights of ingestion.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from device_gateway.accounts import Account
from device_gateway.accounts.forms import read_form
from device_gateway.accounts.origin import check_token
from device_gateway.accounts.sessions import session_hash
from device_gateway.database.scoping import space_scope
from device_gateway.errors import Forbidden, NotFound
from device_gateway.ingest.replay import Wanted, ask_for_replay
from device_gateway.journal import Event, EventName, record
from device_gateway.portal.patient import Person
from device_gateway.state import pages_of, pool_of

HOME: Final = "/operator/quarantine"
GROUPS_SHOWN: Final = 200
OCTETS_SHOWN: Final = 4096  # in hex, and as many characters as text
IN_A_LINE: Final = 16

GROUPS = "SELECT * FROM gateway.quarantine_groups(%s, %s)"
ROWS = "SELECT * FROM gateway.quarantine_rows(%s, %s)"
PAYLOAD = "SELECT * FROM gateway.quarantine_payload(%s, %s)"

router = APIRouter(prefix=HOME, include_in_schema=False)


class NotAnOperator(Forbidden):
    """This page is for the operators of this gateway."""


async def operator(account: Person) -> Account:
    """Raises NotSignedIn or NotAnOperator."""
    if account.kind != "operator":
        raise NotAnOperator
    return account


Operator = Annotated[Account, Depends(operator)]


@router.get("")
async def overview(request: Request, account: Operator) -> Response:  # noqa: ARG001  # who may see it
    async with pool_of(request).connection() as connection:
        rows = await (await connection.execute(GROUPS, (session_hash(request), GROUPS_SHOWN))).fetchall()
    context = {"groups": rows, "done": request.query_params.get("done"), "most": GROUPS_SHOWN}
    return pages_of(request).render(request, "quarantine.html", context)


@router.get("/{group}")
async def rows_of(request: Request, account: Operator, group: int) -> Response:  # noqa: ARG001  # who may see it
    """The payloads of one sender and kind, without what they hold."""
    async with pool_of(request).connection() as connection:
        groups = await (await connection.execute(GROUPS, (session_hash(request), None))).fetchall()
        rows = await (await connection.execute(ROWS, (session_hash(request), group))).fetchall()
    found = next((one for one in groups if one.id == group), None)
    if found is None:
        raise NotFound
    context = {"group": found, "rows": rows, "done": request.query_params.get("done")}
    return pages_of(request).render(request, "quarantine_group.html", context)


@router.post("/{group}/replay")
async def replay_group(request: Request, account: Operator, group: int) -> Response:
    """All of the kind that wait."""
    check_token(await read_form(request), account)
    await _replay(request, account, Wanted(group=group), f"QuarantineGroup/{group}")
    return RedirectResponse(f"{HOME}/{group}?done=replay", 303)


@router.get("/payload/{number}")
async def payload(request: Request, account: Operator, number: int) -> Response:
    """One payload, in hex and as text. Health data may be in it: the look is journalled."""
    async with pool_of(request).connection() as connection:
        row = await (await connection.execute(PAYLOAD, (session_hash(request), number))).fetchone()
        if row is None:
            raise NotFound
        event = Event(EventName.QUARANTINE_SEEN, row.space_id, account.actor, resource=f"Quarantine/{number}")
        if row.space_id is None:
            await record(connection, event)
        else:
            async with space_scope(connection, row.space_id):
                await record(connection, event)
    octets = bytes(row.payload)
    context = {
        "row": row,
        "size": len(octets),
        "most": OCTETS_SHOWN,
        "lines": _hex(octets[:OCTETS_SHOWN]),
        "text": octets.decode("utf-8", "backslashreplace")[:OCTETS_SHOWN],
        "done": request.query_params.get("done"),
    }
    return pages_of(request).render(request, "quarantine_payload.html", context)


@router.post("/payload/{number}/replay")
async def replay_one(request: Request, account: Operator, number: int) -> Response:
    check_token(await read_form(request), account)
    async with pool_of(request).connection() as connection:
        row = await (await connection.execute(PAYLOAD, (session_hash(request), number))).fetchone()
    if row is None:
        raise NotFound
    await _replay(request, account, Wanted(number=number), f"Quarantine/{number}")
    return RedirectResponse(f"{HOME}/{row.group_id}?done=replay" if row.group_id else f"{HOME}?done=replay", 303)


async def _replay(request: Request, account: Account, wanted: Wanted, resource: str) -> None:
    async with pool_of(request).connection() as connection, connection.transaction():
        await ask_for_replay(connection, wanted)
        await record(connection, Event(EventName.QUARANTINE_REPLAYED, None, account.actor, resource=resource))


def _hex(octets: bytes) -> list[tuple[str, str, str]]:
    """(offset, octets in hex, the same as ASCII) of each line."""
    lines = []
    for start in range(0, len(octets), IN_A_LINE):
        line = octets[start : start + IN_A_LINE]
        shown = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in line)
        lines.append((f"{start:04x}", line.hex(" "), shown))
    return lines
