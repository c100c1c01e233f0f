"""The circle of a pre-series: links by which a vendor invites its first users."""

from pydantic import Field

from app_catalog.api.model import Instant, Model
from app_catalog.api.operation import Call, Created
from app_catalog.api.own import own_app, role_of_program
from app_catalog.catalogue.circle import PLACES, Invitation, end_invitation, invitations_of, invite
from app_catalog.catalogue.circle_pages import PATH as JOIN


class InvitationShown(Model):
    name: str = Field(description="Names the link, and does not open it.")
    label: str
    places: int
    taken: int
    made_by: str
    made_at: Instant
    expires_at: Instant
    ended_at: Instant | None


class Circle(Model):
    places: int = Field(description="Of an app, over all its links.")
    items: tuple[InvitationShown, ...]


class NewInvitation(Model):
    label: str = Field(description="Whom the link is for.")
    places: int = Field(ge=1, le=PLACES)


class MadeInvitation(Model):
    link: str = Field(description="In this answer only.")


async def circle(call: Call) -> Circle:
    await role_of_program(call)
    found = await invitations_of(call.connection, (await own_app(call)).id)
    return Circle(places=PLACES, items=tuple(_shown(one) for one in found))


async def new_invitation(call: Call) -> Created:
    body: NewInvitation = call.body
    app = await own_app(call)
    secret = await invite(call.connection, app.id, label=body.label, places=body.places, **call.doing)
    return Created(MadeInvitation(link=call.wiring.issuer + JOIN.format(secret=secret)), call.request.url.path)


async def end(call: Call) -> None:
    app = await own_app(call)
    await end_invitation(call.connection, app.id, call.request.path_params["name"], **call.doing)


def _shown(one: Invitation) -> InvitationShown:
    return InvitationShown(
        name=one.name, label=one.label, places=one.places, taken=one.taken, made_by=one.created_by_name,
        made_at=one.created_at, expires_at=one.expires_at, ended_at=one.ended_at,
    )  # fmt: skip
