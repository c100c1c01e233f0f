"""``/``: the latest values and two charts; everybody but a patient goes on to the catalogue."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app_catalog import app_news, last_day, unseen_list
from device_gateway.access import Patient as PatientActor
from device_gateway.access import readable_metrics
from device_gateway.database.scoping import space_scope
from device_gateway.devices.holdings import held_devices
from device_gateway.errors import Forbidden
from device_gateway.portal.latest import latest_values
from device_gateway.portal.patient import Patient, Person, space_of
from device_gateway.portal.seen import record_seen
from device_gateway.portal.trends import GLUCOSE_DAYS, WEIGHT_DAYS, chosen, glucose_trend, weight_trend
from device_gateway.state import pages_of, pool_of

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request, account: Person) -> Response:
    if account.subject is None:
        return RedirectResponse("/catalogue", 303)
    pages, now, space = pages_of(request), datetime.now(UTC), space_of(account)
    words = pages.words(request)
    query = request.query_params
    actor = PatientActor(space, account.id, account.display_name)
    metrics = readable_metrics(actor)
    if not metrics:
        raise Forbidden
    async with pool_of(request).connection() as connection:
        async with space_scope(connection, space):
            values = await latest_values(connection, words, now, metrics)
            glucose = await glucose_trend(connection, words, now, chosen(query.get("glucose"), GLUCOSE_DAYS, 7))
            weight = await weight_trend(connection, words, now, chosen(query.get("weight"), WEIGHT_DAYS, 90))
            quantity = len(values) + glucose.readings + weight.readings
            await record_seen(connection, actor, quantity, [value.metric for value in values])
        devices = await held_devices(connection, space)
        news, listed = await app_news(connection, space, now), await unseen_list(connection, space)
    context = {
        "values": values,
        "glucose": glucose,
        "weight": weight,
        "devices": devices,
        "app_news": news,
        "apps_listed": listed,
        "last_day": lambda at: last_day(at, account.zone),
    }
    return pages.render(request, "home.html", context)


@router.get("/latest")
async def latest(request: Request, account: Patient) -> Response:
    """The tiles alone, for a page that is open: they are part of a view that was journalled when it was opened."""
    pages, now, space = pages_of(request), datetime.now(UTC), space_of(account)
    metrics = readable_metrics(PatientActor(space, account.id, account.display_name))
    async with pool_of(request).connection() as connection, space_scope(connection, space):
        values = await latest_values(connection, pages.words(request), now, metrics)
    return pages.render(request, "latest.html", {"values": values})
