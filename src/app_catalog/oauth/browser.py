"""Answers of the authorization endpoint to a browser: redirects, pages, and the headers that protect them.

No answer here carries CORS headers: no script of another origin has business at this endpoint (OAuth 2.1 §3.1).
"""

from urllib.parse import urlsplit

from authlib.common.urls import add_params_to_uri
from starlette.requests import Request
from starlette.responses import Response

from app_catalog.oauth.failure import NO_STORE, Refused
from app_catalog.wiring import Wiring


def back_to_client(wiring: Wiring, redirect_uri: str, refused: Refused, state: str | None) -> Response:
    """An error answer (RFC 6749 §4.1.2.1), with `iss` as every other one (RFC 9207)."""
    parameters = [("error", refused.error), ("error_description", refused.description)]
    if state is not None:
        parameters.append(("state", state))
    parameters.append(("iss", wiring.issuer))
    return see_other(add_params_to_uri(redirect_uri, parameters))


def see_other(location: str) -> Response:
    """303: what was posted is not posted again elsewhere (RFC 9700 §4.12)."""
    return Response(status_code=303, headers={"Location": location, **NO_STORE})


def error_page(wiring: Wiring, request: Request, refused: Refused) -> Response:
    """For errors that must not reach a redirect URI: the person is told, nobody else."""
    context = {"error": refused.error, "description": refused.description}
    response = wiring.render(request, "app_catalog/oauth_error.html", context)
    response.status_code = refused.status
    return guarded(response)


def guarded(response: Response, *, forms_lead_to: str = "") -> Response:
    """`response` with the headers of a page that nobody may frame, store or submit elsewhere.

    `forms_lead_to` is the redirect URI at which answering the form ends: ``form-action`` applies to redirects too.
    """
    policy = (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self'{_source(forms_lead_to)}"
    )
    response.headers.update(
        {
            **NO_STORE,
            "Content-Security-Policy": policy,
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }
    )
    return response


def _source(uri: str) -> str:
    if not uri:
        return ""
    parts = urlsplit(uri)
    if parts.netloc.startswith("["):
        return f" {parts.scheme}:"  # the grammar of CSP has no IPv6 address
    return f" {parts.scheme}://{parts.netloc}"
