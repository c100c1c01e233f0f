"""Errors as pages: what happened, and where to go on."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from device_gateway.accounts import login_url, signed_in
from device_gateway.accounts.origin import ForeignForm, StaleForm
from device_gateway.accounts.passwords import TooBusy
from device_gateway.errors import GatewayError, NotSignedIn
from device_gateway.portal.patient import NotAPatient
from device_gateway.portal.translations import marked as _
from device_gateway.state import pages_of

TITLES = {
    400: _("This did not work"),
    403: _("This is not open to you"),
    404: _("There is nothing here"),
    405: _("This did not work"),
    409: _("This has changed meanwhile"),
    413: _("This is too large"),
    422: _("Something needs another look"),
    429: _("Too many tries"),
    500: _("Something went wrong on our side"),
    503: _("Just a moment"),
}
TEXTS = {
    400: _("The request could not be understood. Go back, reload the page and try again."),
    403: _("This page or this action is not open to your account."),
    404: _("The page does not exist, or what it showed has been removed."),
    405: _("The request could not be understood. Go back, reload the page and try again."),
    409: _("Somebody, perhaps you in another window, was faster. Reload the page to see how things stand."),
    413: _("What was sent is larger than this page can take."),
    422: _("Go back and check what you entered."),
    429: _("Wait a quarter of an hour, then try again."),
    500: _("It is not your fault, and nothing was changed half-way. Try again in a moment."),
    503: _("The service is busy or being restarted. Try again in a few seconds."),
}
OWN_TEXTS: dict[type[GatewayError], str] = {
    StaleForm: _("This page is too old: go back, reload it and try again."),
    ForeignForm: _("This form was sent from another site, so nothing was done."),
    NotAPatient: _("This page belongs to a patient's own space."),
    TooBusy: _("Too many people are signing in at this moment: try again in a few seconds."),
}


async def error_page(request: Request, error: GatewayError) -> Response:
    """A page for `error`. Who is not signed in and only looks is taken to the sign-in page instead.

    A fragment asked for by the open page gets the bare status: it must not show another page inside itself.
    """
    status = error.http_status
    if request.headers.get("hx-request") == "true":
        return Response(status_code=status)
    if isinstance(error, NotSignedIn):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(login_url(here if request.method == "GET" else "/"), 303)
    if status < 500:  # beyond that the database may be what is missing
        await signed_in(request)
    known = status if status in TITLES else 500 if status >= 500 else 400
    pages = pages_of(request)
    words = pages.words(request)
    context = {"title": words.gettext(TITLES[known]), "text": words.gettext(OWN_TEXTS.get(type(error), TEXTS[known]))}
    return pages.render(request, "error.html", context, status)
