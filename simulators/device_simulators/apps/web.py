"""A sample app as a web application: welcome, connect or launch, callback, measurements, disconnect."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from device_simulators.apps.app_descriptions import CALLBACK_PATH, LAUNCH_PATH, AppDescription
from device_simulators.apps.authorization import NotOurs, Refused, ask, take_answer
from device_simulators.apps.client import Registration
from device_simulators.apps.connection import AccessWithdrawn, Connection, Unavailable
from device_simulators.apps.discovery import NotUsable, discover
from device_simulators.apps.observations import search
from device_simulators.apps.pages import STATIC, Pages, language_of
from device_simulators.apps.summary import summaries
from device_simulators.apps.visitors import Visitor, Visitors
from device_simulators.apps.words import WORDS

SHOWN = timedelta(days=30)  # what the patient was told that we read
MAX_LAUNCH = 1000  # characters of the launch that we hand back; gateways send a few dozen

Step = Callable[[Request, Visitor], Awaitable[Response]]


@dataclass(frozen=True)
class Setup:
    """`base_url` of the gateway, `own_url` of this app, both without a trailing slash."""

    app: AppDescription
    base_url: str
    own_url: str
    registration: Registration


def build_app(setup: Setup) -> Starlette:
    """The application of `setup`."""
    site = Site(setup)
    return Starlette(
        routes=[
            Route("/", site.visited(site.home)),
            Route("/connect", site.visited(site.connect), methods=["POST"]),
            Route(LAUNCH_PATH, site.visited(site.launch)),
            Route(CALLBACK_PATH, site.visited(site.callback)),
            Route("/disconnect", site.visited(site.disconnect), methods=["POST"]),
            Route("/healthz", _alive),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers={404: site.not_found},
    )


async def _alive(_request: Request) -> Response:
    return JSONResponse({"status": "alive"})


class Site:
    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._visitors = Visitors()
        self._pages = Pages(setup.app, setup.base_url)
        self._cookie = f"{setup.app.key}_visitor"  # cookies know no ports: another app on this host has its own

    def visited(self, step: Step) -> Callable[[Request], Awaitable[Response]]:
        """`step` with the visitor whose browser asks; a new one gets a cookie."""

        async def with_visitor(request: Request) -> Response:
            if request.url.netloc != self._setup.own_url.partition("://")[2]:
                return RedirectResponse(self._setup.own_url, 303)  # under another name the cookie would not come back
            cookie = request.cookies.get(self._cookie)
            visitor = self._visitors.find(cookie)
            if visitor is not None:
                return await step(request, visitor)
            cookie, visitor = self._visitors.welcome()
            response = await step(request, visitor)
            # Lax: it has to come along when the gateway sends the browser back here.
            response.set_cookie(self._cookie, cookie, httponly=True, samesite="lax")
            return response

        return with_visitor

    async def home(self, request: Request, visitor: Visitor) -> Response:
        """Measurements where a health space is connected, otherwise the way to connect one."""
        if visitor.connection is None:
            return self._pages.show(request, "welcome.html", visitor, {})
        try:
            return await self._measurements(request, visitor, visitor.connection)
        except AccessWithdrawn:
            visitor.connection = None
            return self._told(request, visitor, "withdrawn_lead", heading="withdrawn", reconnect=True)
        except Unavailable:
            return self._told(request, visitor, "unavailable", status=503)

    async def connect(self, request: Request, visitor: Visitor) -> Response:
        if not await _is_from(request, visitor):
            return self._home(request, visitor, "too_old")
        return await self._ask(request, visitor, self._setup.app.scope)

    async def launch(self, request: Request, visitor: Visitor) -> Response:
        """A portal opens the app on a patient. Anybody can write such a link: only the gateway that this app was set up
        for is asked, and it knows who is signed in and whether the launch is theirs."""
        issuers, launches = (request.query_params.getlist(name) for name in ("iss", "launch"))
        if [issuer.rstrip("/") for issuer in issuers] != [f"{self._setup.base_url}/fhir"]:
            return self._told(request, visitor, "foreign", status=400)
        if len(launches) != 1 or not 0 < len(launches[0]) <= MAX_LAUNCH:
            return self._told(request, visitor, "not_ours", status=400)
        await _forget(visitor)  # it may be another person's: what was open before is not shown beside the new launch
        return await self._ask(request, visitor, self._setup.app.scope_of_launch, launches[0])

    async def callback(self, request: Request, visitor: Visitor) -> Response:
        """The gateway's answer. The code leaves the address bar with the redirect to the page."""
        question, visitor.question = visitor.question, None  # an answer is taken once
        if question is None:
            return self._told(request, visitor, "not_ours", status=400)
        try:
            visitor.connection = await take_answer(self._setup.registration, question, request.query_params)
        except NotOurs:
            visitor.question = question  # the true answer may still come
            return self._told(request, visitor, "not_ours", status=400)
        except Refused as refused:
            return self._home(
                request, visitor, "denied" if refused.error == "access_denied" else "refused", refused.error
            )
        except (httpx2.HTTPError, ValueError):
            return self._home(request, visitor, "unavailable")
        return self._home(request, visitor, "connected")

    async def disconnect(self, request: Request, visitor: Visitor) -> Response:
        if not await _is_from(request, visitor):
            return self._home(request, visitor, "too_old")
        connection = visitor.connection
        if connection is not None:
            try:
                await connection.give_back()
            except Unavailable:
                return self._home(request, visitor, "unavailable")
        visitor.connection = None
        return self._home(request, visitor, "disconnected")

    async def _ask(self, request: Request, visitor: Visitor, scope: str, launch: str | None = None) -> Response:
        """To the gateway, with a question that nobody else has."""
        try:
            endpoints = await discover(self._setup.base_url)
        except (httpx2.HTTPError, NotUsable, ValueError, KeyError):
            return self._told(request, visitor, "unavailable", status=503)
        url, visitor.question = await ask(self._setup.registration, endpoints, scope, launch)
        return RedirectResponse(url, 303)

    async def not_found(self, request: Request, _error: Exception) -> Response:
        return self._told(request, Visitor(), "not_found", status=404)

    async def _measurements(self, request: Request, visitor: Visitor, connection: Connection) -> Response:
        measures = self._setup.app.measures
        shared = [measure for measure in measures if connection.shares(measure)]
        since = (datetime.now(UTC) - SHOWN).date()
        found = await search(connection, shared, since) if shared else []
        context = {"summaries": summaries(measures, shared, found)}
        return self._pages.show(request, "measurements.html", visitor, context)

    def _told(
        self, request: Request, visitor: Visitor, text: str, *,
        heading: str | None = None, reconnect: bool = False, status: int = 200,
    ) -> Response:  # fmt: skip
        language = language_of(request)
        context = {
            "heading": WORDS[heading][language] if heading else None,
            "text": WORDS[text][language],
            "reconnect": reconnect,
        }
        return self._pages.show(request, "told.html", visitor, context, status)

    def _home(self, request: Request, visitor: Visitor, notice: str, error: str = "") -> Response:
        """To the page, which shows `notice` once."""
        visitor.notice = WORDS[notice][language_of(request)].format(error=error)
        return RedirectResponse(self._setup.own_url, 303)


async def _forget(visitor: Visitor) -> None:
    """Give back what is connected; where the gateway does not answer, it is forgotten all the same."""
    connection, visitor.connection = visitor.connection, None
    if connection is not None:
        with contextlib.suppress(Unavailable):
            await connection.give_back()


async def _is_from(request: Request, visitor: Visitor) -> bool:
    """Whether a form was sent from a page that this visitor was shown."""
    async with request.form(max_fields=4, max_files=0) as form:
        return form.get("form_token") == visitor.form_token
