"""Answers the embedded broker when it asks who connects: the NATS authorization call-out.

A request carries a device's password in clear: nothing here logs it, and what is logged names the device at most. Any
number of responders share the work in one queue group; each outlives restarts of the database and of the broker.
"""

import asyncio
import base64
import hashlib
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import nats
import nkeys
import psycopg
import structlog
from cryptography import x509
from nats.aio.msg import Msg

from device_gateway.broker.embedded import ACCOUNT, AUTH_TIMEOUT_S, CALLOUT_USER
from device_gateway.broker.keys import BrokerSecrets, load_secrets
from device_gateway.broker.rights import nats_subjects, rights_of
from device_gateway.broker.slot_topics import placed_rights
from device_gateway.broker.watch import Watch
from device_gateway.database.pool import AsyncPool
from device_gateway.devices.authority import common_name, serial_of
from device_gateway.devices.credentials import check_password
from device_gateway.settings import Settings

REQUESTS = "$SYS.REQ.USER.AUTH"
QUEUE_GROUP = "device-gateway-callout"
RECONNECT_WAIT_S = 0.2
GIVE_UP_S = AUTH_TIMEOUT_S - 0.5  # an answer after the broker's own time-out would be for nobody
RESERVED_CLIENT_IDS = "dg-"  # ours begin so: ingestion, doctor
MAX_CONNECTIONS = 4  # of one device under client ids of its choice: a product, and somebody who looks after it
MAX_SUBSCRIPTIONS = 32  # the broker's count, where each topic of a device is some four; a device needs two topics
CREDENTIAL = """SELECT c.credential, c.kind, ARRAY(
    SELECT serial FROM gateway.device_certificate WHERE device_id = %(device)s AND revoked_at IS NULL AND until > now()
  ) AS serials
  FROM gateway.device_credential(%(device)s) c"""

log = structlog.get_logger(__name__)


class _Options(msgspec.Struct):
    user: str = ""
    password: str = msgspec.field(name="pass", default="")


class _Client(msgspec.Struct):
    type: str = ""
    mqtt_id: str = ""


class _Tls(msgspec.Struct):
    verified_chains: list[list[str]] | None = None  # PEM, the client's own certificate first


class _Server(msgspec.Struct):
    id: str


class _Request(msgspec.Struct):
    """What matters here of claim ``nats`` (NATS ADR-26)."""

    server_id: _Server
    user_nkey: str
    client_info: _Client
    connect_opts: _Options
    client_tls: _Tls | None = None

    @property
    def certificate(self) -> str | None:
        """What the client showed, verified by the broker against the authority; PEM."""
        chains = self.client_tls.verified_chains if self.client_tls else None
        return chains[0][0] if chains and chains[0] else None


class _Claims(msgspec.Struct):
    nats: _Request


class Permitted(msgspec.Struct, frozen=True):
    device: UUID
    kind: str


class Refused(msgspec.Struct, frozen=True):
    reason: str
    device: UUID | None = None  # what is no id may be a misplaced password, and is not kept


async def run_callout(settings: Settings, pool: AsyncPool, ready: asyncio.Event | None = None) -> None:
    """Answer until cancelled; `ready` is set once requests reach us. `pool` has the role gateway_ingest.

    To be started when the ingest session is subscribed, see `broker.embedded`. Raises BadSetting.
    """
    secrets = load_secrets(Path(settings.required("nats_secrets")))
    signer = _Signer(secrets, settings.ingest_slots)
    connection = await nats.connect(
        settings.required("nats_url"),
        user=CALLOUT_USER,
        password=secrets.callout,
        name="callout",
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_WAIT_S,
        error_cb=_on_error,
        disconnected_cb=_on_disconnect,
        reconnected_cb=_on_reconnect,
    )
    tasks: set[asyncio.Task[None]] = set()
    watch = Watch(settings)

    async def on_request(message: Msg) -> None:
        task = asyncio.create_task(_answer(message, pool, signer, watch))  # hundreds may connect at once
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    try:
        await connection.subscribe(REQUESTS, queue=QUEUE_GROUP, cb=on_request)
        await connection.flush()  # else the first CONNECT can overtake the subscription and wait out the time-out
        if ready is not None:
            ready.set()
        await watch.run()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await connection.close()


async def _decide(request: _Request, pool: AsyncPool, watch: Watch) -> Permitted | Refused:
    """The decision alone: MQTT only, user = client id = id of a paired device, with its password or certificate."""
    if request.client_info.type != "mqtt":
        return Refused("devices speak MQTT")
    name = request.connect_opts.user
    try:
        device = UUID(name)
    except ValueError:
        return Refused("the user name is not the id of a device")
    if _is_somebodys(request.client_info.mqtt_id, name):
        return Refused("the client id is another one's", device)  # else it could take over a session
    row = await _credential(pool, device)
    if str(device) != name or row is None:
        return Refused("unknown device or wrong password", device)
    if reason := _proved(request, row):
        return Refused(reason, device)
    if watch.paused(device):
        return Refused("it sent too much, and is let in again after a while", device)
    if request.client_info.mqtt_id != name and await watch.connections(device) > MAX_CONNECTIONS:
        return Refused("it has too many connections already", device)
    return Permitted(device, row.kind)


def _proved(request: _Request, row: Any) -> str | None:  # Any: the columns of `CREDENTIAL`
    """Why the client is not the device that it says it is; None when it is.

    A certificate is not mapped to a user by the broker: whoever has one could come with another device's password.
    """
    password = request.connect_opts.password
    if request.certificate is None:
        if row.serials:
            return "it has a certificate, and did not show it"
        return None if check_password(password, row.credential) else "unknown device or wrong password"
    shown = x509.load_pem_x509_certificate(request.certificate.encode())
    if common_name(shown) != request.connect_opts.user:
        return "the certificate is another one's"
    if serial_of(shown) not in row.serials:
        return "the certificate was revoked"
    if password and not check_password(password, row.credential):
        return "unknown device or wrong password"
    return None


def _is_somebodys(client_id: str, name: str) -> bool:
    """Whether a client id is, or may be, one under which a session is kept that is not of device `name`.

    Its own id keeps the device's session. Any other that looks like no id of ours is for products and tools
    whose client id cannot be chosen.
    """
    if client_id == name:
        return False
    if client_id.startswith(RESERVED_CLIENT_IDS):
        return True
    try:
        UUID(client_id)
    except ValueError:
        return False
    return True


async def _answer(message: Msg, pool: AsyncPool, signer: "_Signer", watch: Watch) -> None:
    try:
        request = msgspec.json.decode(_unpadded(message.data.split(b".")[1]), type=_Claims).nats
        async with asyncio.timeout(GIVE_UP_S):
            decision = await _decide(request, pool, watch)
        if isinstance(decision, Refused):
            log.info("mqtt connection refused", device=str(decision.device), reason=decision.reason)
        await message.respond(signer.response(request, decision))
    except TimeoutError:
        log.warning("mqtt connection not answered in time: the database is away, or too many connect at once")
    except Exception as error:  # whatever it is, its text may hold the request: only its type is logged
        log.error("mqtt connection not answered", error=type(error).__name__)


async def _credential(pool: AsyncPool, device: UUID) -> Any:  # Any: a named tuple of the query's columns, or None
    """Tried again until the caller's time-out: after a restart of the database every pooled connection fails once."""
    while True:
        try:
            async with pool.connection(timeout=GIVE_UP_S) as connection:
                return await (await connection.execute(CREDENTIAL, {"device": device})).fetchone()
        except psycopg.OperationalError:
            await asyncio.sleep(0.05)


class _Signer:
    """Makes the signed answers: JWTs of algorithm ``ed25519-nkey``, which JOSE does not register."""

    def __init__(self, secrets: BrokerSecrets, slots: int) -> None:
        self._slots = slots
        self._issuer = secrets.issuer
        self._keys = nkeys.from_seed(bytearray(secrets.issuer_seed.encode()))  # type: ignore[no-untyped-call]

    def response(self, request: _Request, decision: Permitted | Refused) -> bytes:
        body: dict[str, Any] = {"type": "authorization_response", "version": 2}
        if isinstance(decision, Permitted):
            body["jwt"] = self._user(request, decision).decode()
        else:
            body["error"] = decision.reason
        return self._sign({"sub": request.user_nkey, "aud": request.server_id.id, "nats": body})

    def _user(self, request: _Request, permitted: Permitted) -> bytes:
        rights = placed_rights(rights_of(permitted.device, permitted.kind), self._slots)
        return self._sign(
            {
                "sub": request.user_nkey,
                "aud": ACCOUNT,
                "name": str(permitted.device),
                "nats": {
                    "type": "user",
                    "version": 2,
                    "subs": MAX_SUBSCRIPTIONS,
                    "data": -1,
                    "payload": -1,
                    "allowed_connection_types": ["MQTT"],
                    "pub": {"allow": nats_subjects(rights.publish)},
                    "sub": {"allow": nats_subjects(rights.subscribe)},
                },
            }
        )

    def _sign(self, claims: dict[str, Any]) -> bytes:
        claims = {"iat": int(time.time()), "iss": self._issuer, **claims}
        digest = hashlib.sha256(msgspec.json.encode(claims)).digest()
        claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
        signed = _padless(b'{"typ":"JWT","alg":"ed25519-nkey"}') + b"." + _padless(msgspec.json.encode(claims))
        return signed + b"." + _padless(self._keys.sign(signed))


def _padless(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _unpadded(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


async def _on_error(error: Exception) -> None:
    log.warning("callout connection", error=type(error).__name__)


async def _on_disconnect() -> None:
    log.warning("callout disconnected from the broker")


async def _on_reconnect() -> None:
    log.info("callout reconnected to the broker")
