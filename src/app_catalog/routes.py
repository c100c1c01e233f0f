"""Every URL of the catalogue and the authorization server."""

from collections.abc import Awaitable, Callable
from functools import partial

from authlib.common.security import is_secure_transport
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app_catalog.access_keys import pages as access_keys
from app_catalog.access_keys.access_key import OF_VENDOR as KEYS_OF_VENDOR
from app_catalog.api.routes import api_routes
from app_catalog.applications import application_pages, draft_pages
from app_catalog.applications import pages as applications
from app_catalog.catalogue import api, brands, circle_pages, status_page
from app_catalog.catalogue import pages as catalogue
from app_catalog.clients import pages as clients
from app_catalog.consents import notification
from app_catalog.criteria import pages as criteria
from app_catalog.documents import pages as documents
from app_catalog.fixed_paths import FixedPaths
from app_catalog.interoperability import pages as interoperability
from app_catalog.oauth import (
    authorize,
    consent_answer,
    discovery,
    introspect,
    launch,
    openid,
    par,
    registration,
    revoke,
    token,
)
from app_catalog.oauth.cors import allow_origin, preflight
from app_catalog.oauth.introspect import Introspection
from app_catalog.oauth.look import INTROSPECTED_TOKENS, looks
from app_catalog.oauth.refresh import Refreshes
from app_catalog.oauth.revoke import Revocation
from app_catalog.oauth.server import build_server
from app_catalog.page import page
from app_catalog.reports import patient_pages as patient_reports
from app_catalog.reports import vendor_pages as vendor_reports
from app_catalog.reports import watch_pages
from app_catalog.review import actions, evaluation_page
from app_catalog.review import pages as review
from app_catalog.review import vendor_pages as vendor_review
from app_catalog.sandbox import pages as sandbox
from app_catalog.vendors import contact, invitation
from app_catalog.vendors import pages as vendors
from app_catalog.wiring import Wiring

Endpoint = Callable[[Request], Awaitable[Response]]
Handler = Callable[[Wiring, Request], Awaitable[Response]]


def routes(wiring: Wiring) -> tuple[FixedPaths, list[BaseRoute]]:
    """What is asked most, to be looked at first, and all other routes; for the root of the host's application.

    Raises ValueError for an issuer that OAuth does not allow.
    """
    if not is_secure_transport(wiring.issuer):
        raise ValueError(
            f"The public URL {wiring.issuer} must be https, or http on the loopback address (RFC 8414 §2)."
        )
    server = build_server(wiring.issuer)
    server.register_endpoint(Revocation)
    server.register_endpoint(Introspection(wiring.issuer, wiring.fhir_url))
    refreshes, tokens = Refreshes(wiring, server), looks(INTROSPECTED_TOKENS, wiring)
    endpoints = [
        _route(authorize.PATH, partial(authorize.authorize, wiring), "GET", "POST"),
        _route(consent_answer.PATH, partial(consent_answer.answer, wiring, server), "POST"),
        _route(token.PATH, _with_cors(wiring, partial(token.token, wiring, server, refreshes)), "POST", "OPTIONS"),
        _route(par.PATH, _with_cors(wiring, partial(par.push, wiring, server)), "POST", "OPTIONS"),
        _route(registration.PATH, partial(registration.register, wiring), "POST"),
        _route(revoke.PATH, _with_cors(wiring, partial(revoke.revoke, wiring, server)), "POST", "OPTIONS"),
        _route(introspect.PATH, partial(introspect.introspect, wiring, server, tokens), "POST"),
        _route(discovery.PATH, partial(discovery.metadata, wiring), "GET"),
        *_openid_connect(wiring),
    ]
    return FixedPaths(endpoints), [
        _route(brands.PATH, partial(brands.brands, wiring), "GET", "OPTIONS"),
        _route(api.PATH, partial(api.apps, wiring), "GET", "OPTIONS"),
        _route(f"{api.PATH}/{{app_id}}", partial(api.app, wiring), "GET", "OPTIONS"),
        _route("/api/catalogue/criteria", partial(criteria.criteria_json, wiring), "GET"),
        *api_routes(wiring),
        *(_route(path, page(wiring, handler), *methods) for path, handler, *methods in PAGES),
    ]


APPLICATION = "/catalogue/vendor/applications/{application_id}"
PAGES: tuple[tuple[str, Handler, *tuple[str, ...]], ...] = (
    ("/catalogue", catalogue.listing, "GET"),
    ("/catalogue/apps/{app_id}", catalogue.app, "GET"),
    (catalogue.LOGO_PATH, catalogue.logo, "GET"),
    (launch.PATH, launch.launch, "GET"),
    ("/catalogue/vendor", applications.overview, "GET"),
    ("/catalogue/vendor/register", vendors.register, "GET", "POST"),
    (invitation.PATH, vendors.join, "GET", "POST"),
    (contact.PATH, vendors.confirm, "GET", "POST"),
    ("/catalogue/vendor/organisations/{vendor_id}", vendors.organisation, "GET"),
    ("/catalogue/vendor/organisations/{vendor_id}", vendors.change, "POST"),
    ("/catalogue/vendor/organisations/{vendor_id}/sandbox", sandbox.overview, "GET"),
    ("/catalogue/vendor/organisations/{vendor_id}/sandbox", sandbox.make, "POST"),
    ("/catalogue/vendor/organisations/{vendor_id}/sandbox/{subject}", sandbox.change, "POST"),
    *(
        place
        for keys in (KEYS_OF_VENDOR, access_keys.OF_REVIEWER)
        for place in ((keys, access_keys.keys, "GET", "POST"), (f"{keys}/{{key_id}}/end", access_keys.end, "POST"))
    ),
    ("/catalogue/vendor/apps/{app_id}/secret", applications.new_secret, "POST"),
    ("/catalogue/vendor/apps/{app_id}/client", clients.client, "GET", "POST"),
    ("/catalogue/vendor/apps/{app_id}/registration", clients.new_initial_token, "POST"),
    ("/catalogue/vendor/apps/{app_id}/notification", notification.notification, "GET", "POST"),
    ("/catalogue/vendor/apps/{app_id}/version", applications.new_version, "POST"),
    ("/catalogue/apply", applications.apply, "GET", "POST"),
    (APPLICATION, application_pages.application, "GET"),
    (f"{APPLICATION}/submit", application_pages.submit, "POST"),
    (f"{APPLICATION}/end", application_pages.end, "POST"),
    (f"{APPLICATION}/identity", draft_pages.identity, "GET", "POST"),
    (f"{APPLICATION}/client", draft_pages.client, "GET", "POST"),
    (f"{APPLICATION}/purposes", draft_pages.purposes, "GET", "POST"),
    (f"{APPLICATION}/purposes/{{purpose}}", draft_pages.purpose, "GET", "POST"),
    (f"{APPLICATION}/documents", documents.documents, "GET", "POST"),
    (f"{APPLICATION}/documents/{{document_id}}/remove", documents.removed, "POST"),
    (f"{APPLICATION}/logo", documents.picture, "GET"),
    (f"{APPLICATION}/logo", documents.new_logo, "POST"),
    (f"{APPLICATION}/criteria/{{area}}", draft_pages.criteria, "GET", "POST"),
    ("/catalogue/documents/{document_id}", documents.document, "GET"),
    ("/catalogue/criteria", criteria.criteria, "GET"),
    (criteria.DRAFT, criteria.draft, "GET", "POST"),
    (f"{criteria.DRAFT}/{{code}}", criteria.criterion, "GET", "POST"),
    ("/catalogue/review", review.overview, "GET"),
    ("/catalogue/review/applications/{application_id}", review.application, "GET"),
    ("/catalogue/review/applications/{application_id}/evaluation", evaluation_page.evaluation, "GET", "POST"),
    *(
        (f"/catalogue/review/applications/{{application_id}}/{name}", handler, "POST")
        for name, handler in (
            ("interest", actions.posting(actions.declare)),
            ("admissibility", actions.posting(actions.settle_admissibility)),
            ("questions", actions.posting(actions.ask)),
            ("opinion", actions.posting(actions.give_opinion)),
            ("agreement", actions.posting(actions.offer)),
            ("attestation", actions.posting(actions.attest)),
            ("decision", actions.posting(actions.decide, leads_home=True)),
        )
    ),
    ("/catalogue/vendor/applications/{application_id}/review", vendor_review.review, "GET"),
    ("/catalogue/vendor/applications/{application_id}/questions/{question_id}", vendor_review.answer, "POST"),
    ("/catalogue/vendor/applications/{application_id}/agreements/{agreement_id}", vendor_review.accept, "POST"),
    ("/catalogue/vendor/apps/{app_id}/interoperability", interoperability.tests, "GET", "POST"),
    ("/catalogue/review/apps/{app_id}/status", status_page.change, "POST"),
    ("/catalogue/review/apps/{app_id}/end", watch_pages.end, "POST"),
    ("/catalogue/apps/{app_id}/report", patient_reports.report, "GET", "POST"),
    ("/catalogue/reports", patient_reports.reports, "GET"),
    (circle_pages.PATH, circle_pages.invitation, "GET", "POST"),
    ("/catalogue/vendor/apps/{app_id}/life", vendor_reports.life, "GET"),
    ("/catalogue/vendor/apps/{app_id}/complaints", vendor_reports.new_complaint, "POST"),
    ("/catalogue/vendor/apps/{app_id}/renewal", vendor_reports.new_renewal, "POST"),
    ("/catalogue/vendor/audits/{audit_id}", vendor_reports.answer, "POST"),
    ("/catalogue/vendor/apps/{app_id}/invitations", circle_pages.new_invitation, "POST"),
    ("/catalogue/vendor/apps/{app_id}/invitations/{name}/end", circle_pages.close_invitation, "POST"),
    ("/catalogue/review/watch", watch_pages.overview, "GET"),
    ("/catalogue/review/audits", watch_pages.begin, "POST"),
    ("/catalogue/review/audits/{audit_id}", watch_pages.audit, "GET", "POST"),
    ("/catalogue/review/complaints/{complaint_id}", watch_pages.complaint, "POST"),
    ("/catalogue/review/renewals/{renewal_id}", watch_pages.renewal, "POST"),
)


def _openid_connect(wiring: Wiring) -> list[Route]:
    if wiring.master_key is None:
        return []
    return [
        _route(openid.KEYS_PATH, partial(openid.keys, wiring, wiring.master_key), "GET"),
        _route(discovery.OPENID_PATH, partial(discovery.metadata, wiring), "GET"),
    ]


def _route(path: str, endpoint: Endpoint, *methods: str) -> Route:
    return Route(path, endpoint, methods=list(methods))


def _with_cors(wiring: Wiring, endpoint: Endpoint) -> Endpoint:
    async def with_cors(request: Request) -> Response:
        if request.method == "OPTIONS":
            return await preflight(wiring, request)
        return await allow_origin(wiring, request, await endpoint(request))

    return with_cors
