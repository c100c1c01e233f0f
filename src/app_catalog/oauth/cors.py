"""Which scripts may read the token endpoint: those of browser apps, by the origins of their redirect URIs."""

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.wiring import Wiring

MAX_ORIGIN_LENGTH = 300  # characters
# Of an app in service, or of one that waits for a decision and that its vendor can try with a simulated patient.
ORIGIN_OF_AN_APP = """SELECT EXISTS (SELECT FROM catalogue.app a JOIN catalogue.application v ON v.id = a.application_id
    WHERE a.status IN ('PRE_SERIES', 'ONLINE', 'OFFLINE') AND %(origin)s = ANY(v.origins))
  OR EXISTS (SELECT FROM catalogue.application v JOIN catalogue.app a ON a.id = v.app_id
    JOIN catalogue.sandbox_space s ON s.vendor_id = a.vendor_id AND s.ended_at IS NULL
    WHERE v.state IN ('submitted', 'admissible') AND %(origin)s = ANY(v.origins)) AS known"""


async def preflight(wiring: Wiring, request: Request) -> Response:
    """The answer to OPTIONS (Fetch, "CORS-preflight"): permission for a registered origin, nothing for another."""
    response = Response(status_code=204)
    response.headers["Access-Control-Allow-Methods"] = "POST"
    response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
    response.headers["Access-Control-Max-Age"] = "600"
    return await allow_origin(wiring, request, response)


async def allow_origin(wiring: Wiring, request: Request, response: Response) -> Response:
    """`response`, readable by the script that asked if its origin is registered. No credentials: no cookies."""
    response.headers["Vary"] = "Origin"
    origin = request.headers.get("origin")
    if origin is None or len(origin) > MAX_ORIGIN_LENGTH or not origin.isprintable():
        return response
    async with wiring.pool.connection() as connection:
        row = await (await connection.execute(ORIGIN_OF_AN_APP, {"origin": origin})).fetchone()
    if row is not None and row.known:
        response.headers["Access-Control-Allow-Origin"] = origin
    return response
