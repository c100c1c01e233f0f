"""A hub or an edge that speaks HTTP to claim what it carries: HTTP Basic with its credentials at the broker."""

import base64
import binascii
from uuid import UUID

from psycopg import AsyncConnection
from starlette.requests import Request

from device_gateway.database.pool import Row
from device_gateway.devices.credentials import check_password
from device_gateway.errors import Forbidden, NotSignedIn

CREDENTIAL = "SELECT credential, kind FROM gateway.device_credential(%s)"


class BadCarrierCredentials(NotSignedIn):
    """These are not the id and the MQTT password of a hub or edge that somebody holds."""


class NotACarrier(Forbidden):
    """A device cannot carry another one: only a hub or an edge can."""


async def carrier_of(connection: AsyncConnection[Row], request: Request) -> UUID | None:
    """Id of the hub or edge that signed this request; None for a request without credentials.

    Raises BadCarrierCredentials or NotACarrier.
    """
    header = request.headers.get("authorization")
    if header is None:
        return None
    user, password = _basic(header)
    row = await (await connection.execute(CREDENTIAL, (user,))).fetchone()
    if row is None or not check_password(password, row.credential):
        raise BadCarrierCredentials
    if row.kind == "device":
        raise NotACarrier
    return user


def _basic(header: str) -> tuple[UUID, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise BadCarrierCredentials
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        if not colon:
            raise BadCarrierCredentials
        return UUID(user), password
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise BadCarrierCredentials from error
