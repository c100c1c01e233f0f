"""The page on which a patient decides, purpose by purpose."""

from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.apps import App, Purpose
from app_catalog.consents.pairing import agreed_keys, current_end
from app_catalog.consents.period import ends_offered
from app_catalog.consents.wording import language_of, wording
from app_catalog.form import Fields
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
    asks_anew: bool = False  # about every purpose of the app: the patient has not answered for its present version

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """The purposes that the request is about: those with a scope that it asks for."""
        if self.asks_anew:
            return self.app.purposes
        return tuple(purpose for purpose in self.app.purposes if narrow(self.scopes, purpose.scopes).resources)


async def consent_page(
    wiring: Wiring,
    request: Request,
    connection: Connection,
    pending: PendingRequest,
    person: Person,
    *,
    sent: Fields | None = None,
    fault: str | None = None,
) -> Response:
    """The consent form: as it was `sent`, with what is wrong with it; otherwise ticked only where the patient has
    already agreed to the very words."""
    language, now, kept = language_of(person.language), wiring.clock(), None
    ticked = frozenset(sent.all("purpose")) if sent else frozenset[str]()
    if person.subject is not None:
        async with space(connection, person.subject):
            kept = await current_end(connection, pending.app.id, person.subject, now)
            if sent is None:
                ticked = await agreed_keys(connection, pending.app, person.subject, now)
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
        "asks_anew": pending.asks_anew,
        "ends": ends_offered(sent.first if sent else {}, zone=person.zone, now=now, kept=kept),
    }
    response = wiring.render(request, "app_catalog/consent.html", context)
    if fault:
        response.status_code = 422
    return guarded(response, forms_lead_to=pending.redirect_uri)
