"""What a reviewer or an operator does with the status of an app in service."""

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.causes import Cause
from app_catalog.catalogue.change import WATCHERS, change_status, check_cause, status_before_suspension
from app_catalog.catalogue.status import Status
from app_catalog.errors import BadForm, WrongState
from app_catalog.page import id_in_path, posted, see_other, signed_in
from app_catalog.wiring import Wiring


async def change(wiring: Wiring, request: Request) -> Response:
    """``action``: ``suspend``, ``resume``, or the name of a status to go to; always with a ``reason`` for the vendor.
    ``cause``: what patients read, a key of `Cause`; nothing only where nothing is taken from them. ``sure``: ticked,
    for what has no way back."""
    person = await signed_in(wiring, request, *WATCHERS)
    fields = await posted(request, person)
    app_id = id_in_path(request, "app_id")
    cause = fields.get("cause")
    if cause is not None and cause not in set(Cause):
        raise BadForm
    async with wiring.pool.connection() as connection:
        action = fields.text("action")
        if action == "resume":
            status = await status_before_suspension(connection, app_id)
        elif action == "suspend":
            status = Status.SUSPENDED
        elif action in Status.__members__:
            status = Status(action)
        else:
            raise BadForm
        if status is Status.DEREFERENCED and fields.get("sure") is None:
            raise WrongState("Tick that you are sure.")
        if action != "resume":
            check_cause(status, cause)
        await change_status(
            connection,
            app_id,
            status,
            person=person,
            journal=wiring.journal,
            now=wiring.clock(),
            reason=fields.text("reason"),
            cause=Cause(cause) if cause else None,
            mail=wiring.mail,
        )
    return see_other("/catalogue/review")
