"""How often one network address may guess claim codes or device passwords; counted in PostgreSQL, for all workers."""

import ipaddress

from psycopg import AsyncConnection

from device_gateway.database.pool import Row
from device_gateway.errors import GatewayError

MAX_WRONG = 20  # wrong claims in one window: room for a household's typing errors, none for 10^12 codes
WINDOW_MINUTES = 15  # minutes: as long as a code lives

TAKE = f"""INSERT INTO gateway.claim_attempt AS a (address) VALUES (%s)
  ON CONFLICT (address) DO UPDATE SET
    attempts = CASE WHEN a.started_at < now() - interval '{WINDOW_MINUTES} minutes' THEN 1 ELSE a.attempts + 1 END,
    started_at = CASE WHEN a.started_at < now() - interval '{WINDOW_MINUTES} minutes' THEN now() ELSE a.started_at END
  RETURNING a.attempts"""
GIVE_BACK = "UPDATE gateway.claim_attempt SET attempts = attempts - 1 WHERE address = %s AND attempts > 0"
FORGET = f"DELETE FROM gateway.claim_attempt WHERE started_at < now() - interval '{WINDOW_MINUTES} minutes'"


class TooManyGuesses(GatewayError):
    """Too many wrong claim codes or credentials came from this network address: wait a quarter of an hour."""

    http_status = 429
    fhir_code = "throttled"


async def take(connection: AsyncConnection[Row], address: str) -> None:
    """Count one try before it is made, so that tries made together cannot overtake the count. Raises TooManyGuesses."""
    await connection.execute(FORGET)
    row = await (await connection.execute(TAKE, (address,))).fetchone()
    if row is not None and row.attempts > MAX_WRONG:
        raise TooManyGuesses


async def give_back(connection: AsyncConnection[Row], address: str) -> None:
    """The try was no guess: it succeeded, or failed for another reason."""
    await connection.execute(GIVE_BACK, (address,))


def network_of(host: str | None) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: what one household has."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False).network_address) + "/64"
    return str(address)
