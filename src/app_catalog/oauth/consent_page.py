"""The page on which a patient decides, purpose by purpose."""

from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import App, Purpose
from app_catalog.consents.pairing import consented_keys
from app_catalog.consents.wording import language_of, wording
from app_catalog.oauth.browser import guarded
from app_catalog.scopes.grammar import Scopes
from app_catalog.scopes.narrowing import narrow
from app_catalog.space import space
from app_catalog.wiring import Connection, Person, Wiring


@dataclass(frozen=True)
class PendingRequest:
    """A checked authorization request that waits for the patient's answer. `scopes` are those that can be granted."""

    id: UUID
    app: App
    redirect_uri: str
    scopes: Scopes
    state: str | None
    code_challenge: str
    nonce: str | None = None
    launch: bytes | None = None  # what the launch from the portal is kept under

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """The purposes that the request is about: those with a scope that it asks for."""
        return tuple(purpose for purpose in self.app.purposes if narrow(self.scopes, purpose.scopes).resources)


async def consent_page(
    wiring: Wiring,
    request: Request,
    connection: Connection,
    pending: PendingRequest,
    person: Person,
    *,
    ticked: frozenset[str] | None = None,
    fault: str | None = None,
) -> Response:
    """The consent form. Boxes are ticked as `ticked` says; otherwise only where the patient has already agreed."""
    language = language_of(person.language)
    if ticked is None:
        ticked = frozenset()
        if person.subject is not None:
            async with space(connection, person.subject):
                ticked = await consented_keys(connection, pending.app.id, person.subject)
    context = {
        "app": pending.app,
        "description": pending.app.description[language],
        "request_id": str(pending.id),
        "csrf_token": person.csrf_token,
        "purposes": [
            {
                "key": purpose.key,
                "ticked": purpose.key in ticked,
                "shown": wording(pending.app, purpose, language, wiring.data_plane),
            }
            for purpose in pending.purposes
        ],
        "offline": pending.scopes.offline,
        "leads_to": pending.redirect_uri.split("?", maxsplit=1)[0],
        "fault": fault,
    }
    response = wiring.render(request, "app_catalog/consent.html", context)
    if fault:
        response.status_code = 422
    return guarded(response, forms_lead_to=pending.redirect_uri)
