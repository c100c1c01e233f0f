"""Where the authorization server and the data plane tell what a tested client does, and are told what to answer.

They ask only for clients in the space of a simulated patient; each function says what is answered instead of the
ordinary, and None where nothing is.
"""

import json
import secrets
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from starlette.responses import Response

from app_catalog.catalogue.apps import App
from app_catalog.consents.notices import Why
from app_catalog.consents.revocation import revoke_grant
from app_catalog.form import Fields
from app_catalog.interoperability.observation import Observation, observe, observe_state
from app_catalog.interoperability.rules import Effect, Event, Stage
from app_catalog.interoperability.run import carry_on, open_run, with_notice
from app_catalog.interoperability.scenario import Scenario
from app_catalog.oauth.failure import Refused, answer, refusal
from app_catalog.oauth.grant import AppGrant
from app_catalog.oauth.secret_text import base64url, sha256
from app_catalog.oauth.writes import USE_CODE
from app_catalog.space import space
from app_catalog.wiring import Connection, DataPlane, Row

EXPIRE: Final = "UPDATE catalogue.token SET expires_at = %s WHERE grant_id = %s AND kind = 'access'"
# One that the patient has not answered: the page was loaded again.
SAME_REQUEST: Final = """SELECT id FROM catalogue.authorization_request
  WHERE app_id = %s AND state = %s AND code_challenge = %s AND answered_at IS NULL LIMIT 1"""
GRANT_OF_CODE: Final = "SELECT grant_id FROM catalogue.authorization_code WHERE hash = %s"

QUIET: Final = timedelta(seconds=2)  # after a refusal: who asks again so soon is a program, and is refused again
ANOTHER_SERVER: Final = "https://another-server.invalid"  # RFC 6761: nobody's
ENDED_BY_SCENARIO: Final = "A scenario of the interoperability tests ended this access."
OF_ITS_GRANT: Final = frozenset({Stage.ANSWERED, Stage.CONNECTED})  # what other codes come to is nothing to them
SPOILT: Final = frozenset({Scenario.WRONG_STATE, Scenario.WRONG_ISSUER})


async def authorization_asked(
    connection: Connection, app: App, subject: UUID, fields: Fields, now: datetime
) -> Refused | None:
    """An authorization request that passed every check. Commits what it notes."""
    async with space(connection, subject):
        application = app.application_id
        await observe(connection, application, Observation.PKCE, now, good=True)
        await observe(connection, application, Observation.REDIRECT_URI, now, good=True)
        same = (app.id, fields.get("state"), fields.get("code_challenge"))
        if await (await connection.execute(SAME_REQUEST, same)).fetchone() is None:
            await observe_state(connection, application, fields.get("state"), now)
        run = await open_run(connection, app.id, subject)
        if run is None:
            return None
        run = await with_notice(connection, run, now)
        too_soon = run.stage is Stage.DISTURBED and now - run.stage_at < QUIET
        if run.scenario is Scenario.DENIED and too_soon:
            await carry_on(connection, run, Event.TURNED_AWAY, now)
            return Refused("access_denied", "The patient refused.")
        await carry_on(connection, run, Event.ASKED, now)
        return None


async def authorization_refused(
    connection: Connection, app: App, fields: Fields, now: datetime, *, redirect_uri: bool
) -> None:
    """One that did not pass: without PKCE perhaps; or, as `redirect_uri` says, for an address not registered."""
    async with connection.transaction():
        if redirect_uri:
            await observe(connection, app.application_id, Observation.REDIRECT_URI, now, good=False)
        elif fields.get("code_challenge_method") != "S256" or not fields.get("code_challenge"):
            await observe(connection, app.application_id, Observation.PKCE, now, good=False)


async def refuses(connection: Connection, app: App, subject: UUID, now: datetime) -> bool:
    """Whether the patient refuses in this scenario: a yes becomes a refusal. Inside `space`."""
    run = await open_run(connection, app.id, subject)
    if run is None or run.scenario is not Scenario.DENIED or run.stage is not Stage.ARMED:
        return False
    await carry_on(connection, run, Event.SENT, now)
    return True


async def code_sent(connection: Connection, app: App, subject: UUID, response: Response, now: datetime) -> Response:
    """The redirect with a code, or what the scenario makes of it. Inside `space`."""
    run = await open_run(connection, app.id, subject)
    if run is None or run.stage is not Stage.ARMED:
        return response
    parts = urlsplit(response.headers["location"])
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    row = await (await connection.execute(GRANT_OF_CODE, (sha256(parameters["code"]),))).fetchone()
    await carry_on(connection, run, Event.SENT, now, grant_id=row.grant_id if row else None)
    if run.scenario is Scenario.WRONG_STATE:
        parameters["state"] = secrets.token_urlsafe(24)
    elif run.scenario is Scenario.WRONG_ISSUER:
        parameters["iss"] = ANOTHER_SERVER
    else:
        return response
    response.headers["location"] = parts._replace(query=urlencode(parameters)).geturl()
    return response


async def before_exchange(connection: Connection, row: Row, now: datetime, *, code: bool) -> Response | None:
    """A code or a refresh token is presented. What is answered instead of deciding about it."""
    run = await open_run(connection, row.app_id, row.subject)
    if run is None or run.grant_id != row.grant_id:
        return None
    if code and run.scenario in SPOILT:
        await carry_on(connection, run, Event.MISREDEEMED, now)
        await connection.execute(USE_CODE, {"hash": row.hash, "now": now})
        return refusal(Refused("invalid_grant", "This code came with an answer that was not meant for the client."))
    if not code and run.scenario is Scenario.UNAVAILABLE and run.stage is Stage.CONNECTED:
        await carry_on(connection, run, Event.HELD_OFF, now)
        return answer(503, {"error": "temporarily_unavailable"}, {"Retry-After": "1"})
    return None


async def note_exchange(connection: Connection, row: Row, fields: Fields, response: Response, now: datetime) -> None:
    """What became of a code or a refresh token. Inside its space."""
    if row.tested_application is None:
        return
    if fields.get("grant_type") == "authorization_code":
        await _code_exchanged(connection, row, fields.text("code_verifier"), response, now)
    else:
        await _token_refreshed(connection, row, response, now)


async def _code_exchanged(connection: Connection, row: Row, verifier: str, response: Response, now: datetime) -> None:
    application, good = row.tested_application, response.status_code == 200
    if good or row.used_at is not None:
        await observe(connection, application, Observation.CODE_ONCE, now, good=good)
    elif base64url(sha256(verifier)) != row.code_challenge:
        await observe(connection, application, Observation.VERIFIER, now, good=False)
    if good or row.expires_at <= now:
        await observe(connection, application, Observation.CODE_IN_TIME, now, good=good)
    if good:
        await observe(connection, application, Observation.VERIFIER, now, good=True)
    run = await open_run(connection, row.app_id, row.subject)
    if run is None or (run.stage in OF_ITS_GRANT and run.grant_id != row.grant_id):
        return  # another browser of the same patient
    if not good and json.loads(bytes(response.body))["error"] != "invalid_grant":
        return  # a client that could not show who it is may try again: the code is as good as before
    effect = await carry_on(connection, run, Event.REDEEMED if good else Event.FAILED, now)
    if effect is Effect.EXPIRE:
        await connection.execute(EXPIRE, (now, row.grant_id))
    if good and "refresh_token" not in json.loads(bytes(response.body)):
        again = await open_run(connection, row.app_id, row.subject)
        if again is not None:
            await carry_on(connection, again, Event.WITHOUT_REFRESH, now)


async def _token_refreshed(connection: Connection, row: Row, response: Response, now: datetime) -> None:
    application, good = row.tested_application, response.status_code == 200
    if good is (row.used_at is None):  # a repetition within the grace says nothing of either
        await observe(connection, application, Observation.SUCCESSOR, now, good=good)
    if good or row.expires_at <= now:
        await observe(connection, application, Observation.REFRESH_IN_TIME, now, good=good)
    run = await open_run(connection, row.app_id, row.subject)
    if run is not None and run.grant_id == row.grant_id:
        await carry_on(connection, run, Event.REFRESHED if good else Event.TURNED_AWAY, now)


async def call_refused(connection: Connection, grant: AppGrant, reason: str, now: datetime) -> None:
    """A tested client called with an access token that does not work. Commits what it notes."""
    await _called(connection, grant, Observation.READ, Event.TURNED_AWAY, now, detail=reason)


async def call_answered(
    connection: Connection, grant: AppGrant, outside: str | None, data_plane: DataPlane, now: datetime
) -> None:
    """A tested client asked for data, and got what its grant opens; or nothing, for it asked for what is `outside`.

    Commits what it notes.
    """
    if outside is not None:
        await _called(connection, grant, Observation.WITHIN, None, now, detail=outside)
        return
    async with connection.transaction():
        await _called(connection, grant, Observation.WITHIN, None, now)
        effect = await _called(connection, grant, Observation.READ, Event.READ, now)
        if effect is Effect.REVOKE:
            async with space(connection, grant.subject):
                await revoke_grant(connection, grant.grant_id, ENDED_BY_SCENARIO, data_plane, now, why=Why.PATIENT)


async def _called(
    connection: Connection, grant: AppGrant, observation: Observation, event: Event | None, now: datetime, *,
    detail: str = "",
) -> Effect | None:  # fmt: skip
    """`detail`: what is wrong with it."""
    if grant.tested_application is None:
        return None
    async with space(connection, grant.subject):
        await observe(connection, grant.tested_application, observation, now, good=not detail, detail=detail)
        run = await open_run(connection, grant.app_id, grant.subject) if event is not None else None
        if run is None or event is None or run.grant_id != grant.grant_id:
            return None
        return await carry_on(connection, run, event, now)
