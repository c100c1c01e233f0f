"""The pages of a sample app, and the headers that protect them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from device_simulators.apps.app_descriptions import AppDescription
from device_simulators.apps.language import Language, moment, number, preferred, signed
from device_simulators.apps.observations import Value
from device_simulators.apps.visitors import Visitor
from device_simulators.apps.words import words

HERE = Path(__file__).parent
STATIC = HERE / "static"


class Pages:
    """`gateway` is the origin that the form "connect" leads to: browsers apply form-action to redirects as well."""

    def __init__(self, app: AppDescription, gateway: str) -> None:
        parts = urlsplit(gateway)
        self._headers = {
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
            f"frame-ancestors 'none'; form-action 'self' {parts.scheme}://{parts.netloc}",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",  # the code travels in the URL of the redirect
            "X-Content-Type-Options": "nosniff",
        }
        self._app = app
        self._by_language: Mapping[Language, Environment] = {"fr": _environment("fr"), "en": _environment("en")}

    def show(
        self, request: Request, template: str, visitor: Visitor, context: Mapping[str, Any], status: int = 200
    ) -> HTMLResponse:
        """Any: what the template needs."""
        language = language_of(request)
        html = self._by_language[language].get_template(template).render(
            app=self._app, connection=visitor.connection, form_token=visitor.form_token, notice=visitor.take_notice(),
            **context,
        )  # fmt: skip
        return HTMLResponse(html, status, self._headers)


def language_of(request: Request) -> Language:
    return preferred(request.headers.get("accept-language", ""))


def _environment(language: Language) -> Environment:
    environment = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)
    environment.globals |= {"language": language, "words": words(language)}
    environment.filters["moment"] = lambda at: moment(at, language)
    environment.filters["signed"] = lambda value: signed(value, language)
    environment.filters["values"] = lambda values: _written(values, language)
    return environment


def _written(values: Sequence[Value], language: Language) -> str:
    """``72,40 kg``; of several values with one unit ``121/79 mmHg``."""
    return f"{'/'.join(number(value.number, language) for value in values)} {values[-1].unit}"
