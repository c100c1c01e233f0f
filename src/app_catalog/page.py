"""What the catalogue's pages have in common: who may see them, how a form is believed, how an error looks."""

import hmac
from collections.abc import Awaitable, Callable
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app_catalog.errors import BadForm, CatalogueError, NotAllowed, StaleForm, Unacceptable, Unknown
from app_catalog.form import MAX_BYTES, Fields, Malformed, read_body
from app_catalog.wiring import Person, Wiring

Handler = Callable[[Wiring, Request], Awaitable[Response]]


class SignInFirst(Exception):
    """Nobody is signed in, and somebody has to be."""


def page(wiring: Wiring, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """`handler` as an endpoint: sends who is not signed in to sign in, and shows errors as pages."""

    async def endpoint(request: Request) -> Response:
        await wiring.signed_in(request)  # so that a page that is open to all is in the person's language and layout
        try:
            return await handler(wiring, request)
        except SignInFirst:
            here = request.url.path if request.method == "GET" else "/catalogue"
            return RedirectResponse(wiring.login_url(here), status_code=303)
        except CatalogueError as error:
            response = wiring.render(
                request,
                "app_catalog/error.html",
                {"message": error.message, "faults": error.faults if isinstance(error, Unacceptable) else ()},
            )
            response.status_code = error.http_status
            return response

    return endpoint


async def signed_in(wiring: Wiring, request: Request, *kinds: str) -> Person:
    """Who is signed in. Raises SignInFirst, or NotAllowed when it is not one of `kinds`."""
    person = await wiring.signed_in(request)
    if person is None:
        raise SignInFirst
    if person.kind not in kinds:
        raise NotAllowed
    return person


async def posted(request: Request, person: Person, limit: int = MAX_BYTES) -> Fields:
    """The fields of a form that `person` sent from a page of ours. Raises BadForm or StaleForm."""
    try:
        fields = await read_body(request, limit)
    except Malformed:
        raise BadForm from None
    if not hmac.compare_digest(fields.text("csrf_token").encode(), person.csrf_token.encode()):
        raise StaleForm
    return fields


def id_in_path(request: Request, name: str) -> UUID:
    """The id in the path. Raises Unknown for what is no id, as for one that nothing has."""
    try:
        return UUID(request.path_params[name])
    except ValueError:
        raise Unknown from None


def see_other(path: str) -> Response:
    return RedirectResponse(path, status_code=303)
