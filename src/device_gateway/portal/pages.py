"""Rendering a page: which language, which texts, and the headers that keep it to itself."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from babel.core import negotiate_locale
from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from device_gateway.accounts.account import DEFAULT_ZONE, LANGUAGES, Language
from device_gateway.accounts.sessions import account_of
from device_gateway.portal.static_files import asset_url
from device_gateway.portal.translations import translations
from device_gateway.portal.words import Words
from device_gateway.settings import Settings

LANGUAGE_COOKIE = "language"
DEFAULT_LANGUAGE: Language = "fr"
FORM_ACTION = "form_action"  # key of a context: further origins that the page's forms may lead to


class Pages:
    """One Jinja environment per language, over our templates and the catalogue's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        loader = ChoiceLoader([PackageLoader("device_gateway.portal"), PackageLoader("app_catalog")])
        self._environments = {language: _environment(loader, language) for language in LANGUAGES}

    def language(self, request: HTTPConnection) -> Language:
        """The account's, or what this browser chose here before, or what it prefers, or French."""
        if account := account_of(request):
            return account.language
        chosen = request.cookies.get(LANGUAGE_COOKIE)
        for language in LANGUAGES:
            if chosen == language:
                return language
        preferred = negotiate_locale(_accepted(request.headers.get("accept-language", "")), LANGUAGES)
        return next((language for language in LANGUAGES if language == preferred), DEFAULT_LANGUAGE)

    def words(self, request: HTTPConnection) -> Words:
        account = account_of(request)
        return Words(self.language(request), account.zone if account else DEFAULT_ZONE)

    def render(
        self, request: HTTPConnection, template: str, context: Mapping[str, Any], status: int = 200
    ) -> HTMLResponse:
        """`template` with `context` and what every page has: `account`, `words`, `language`, `path`, `now`."""
        words = self.words(request)
        page = self._environments[words.language].get_template(template)
        values = {
            "account": account_of(request),
            "words": words,
            "language": words.language,
            "languages": LANGUAGES,
            "path": request.url.path,
            "here": _here(request),
            "now": datetime.now(UTC),
            **context,
        }
        response = HTMLResponse(page.render(values), status)
        response.headers.update(headers(context.get(FORM_ACTION, ())))
        response.headers["Content-Language"] = words.language
        return response


def _here(request: HTTPConnection) -> str | None:
    """Where a change of language leads back to; None on a page that only an answered form of an app shows."""
    path = request.url.path
    if request.scope["method"] == "GET":
        return path + (f"?{request.url.query}" if request.url.query else "")
    return None if path.startswith("/oauth/") else path


def headers(form_action: Sequence[str] = ()) -> dict[str, str]:
    """Of every page: nothing is loaded from elsewhere, framed by anyone, kept by a cache, or told to the next site."""
    return {
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self' data:",
                "connect-src 'self'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
                " ".join(("form-action 'self'", *form_action)),
            )
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Vary": "Cookie, Accept-Language",
    }


def _environment(loader: BaseLoader, language: Language) -> Environment:
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    texts = translations(language)
    environment.install_gettext_callables(texts.ugettext, texts.ungettext, newstyle=True)  # type: ignore[attr-defined]
    environment.globals["asset_url"] = asset_url
    environment.globals["colon"] = "\u00a0: " if language == "fr" else ": "  # between a name and what is said of it
    environment.filters |= {"day": _day, "moment": _moment}
    return environment


@pass_context
def _day(context: Context, at: date | datetime) -> str:
    """For instance “12 November 2026”; the day of a datetime is that in the reader's zone."""
    words: Words = context["words"]
    return words.day(_local(at, words).date() if isinstance(at, datetime) else at)


@pass_context
def _moment(context: Context, at: datetime | str) -> str:
    """For instance “12 November 2026 at 07:31”, in the reader's zone. A text is RFC 3339."""
    words: Words = context["words"]
    local = _local(datetime.fromisoformat(at) if isinstance(at, str) else at, words)
    return words.gettext("%(day)s at %(time)s", day=words.day(local.date()), time=words.clock(local))


def _local(at: datetime, words: Words) -> datetime:
    """`at` in the reader's zone; one without a zone, as the catalogue lists applications, is UTC."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(words.zone)


def _accepted(header: str) -> list[str]:
    """Languages of an Accept-Language header, the most wanted first, regions left out."""
    wanted = []
    for position, part in enumerate(header[:500].split(",")):
        name, _, parameter = part.strip().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if name and quality > 0:
            wanted.append((-quality, position, name.split("-")[0].lower()))
    return [name for _, _, name in sorted(wanted)]
