"""Files for Mosquitto 2.x, made from the registry: configuration, passwords, rights, revocations. See docs/brokers.md.

Listeners have passwords and rights of their own. For devices, the client id is replaced with the user name, so that
none takes over the session of another: Mosquitto would drop the queued messages that the taker may not read.
"""

import os
import pwd
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from psycopg import Connection

from device_gateway.broker.embedded import MAX_PAYLOAD
from device_gateway.broker.keys import write_private
from device_gateway.broker.listener import Tls, keep_server_certificate
from device_gateway.broker.rights import INGEST, INGEST_USER, Rights, rights_of
from device_gateway.database.pool import Row
from device_gateway.devices.authority import CA_FILE, SERVER_LIFE, Authority
from device_gateway.devices.credentials import hash_password
from device_gateway.errors import BadSetting, PartMissing
from device_gateway.settings import LOOPBACK

DEVICES = """
SELECT d.id, d.kind, d.credential, EXISTS (
    SELECT FROM gateway.device_certificate c WHERE c.device_id = d.id AND c.revoked_at IS NULL AND c.until > now()
  ) AS certified
FROM gateway.device d
WHERE d.credential IS NOT NULL
  AND EXISTS (SELECT FROM gateway.device_holding h WHERE h.device_id = d.id AND upper_inf(h.during))
ORDER BY d.id"""
REVOKED = """SELECT serial, revoked_at FROM gateway.device_certificate WHERE revoked_at IS NOT NULL AND until > now()
  ORDER BY serial"""

# 2.0 writes its whole store after so many changes; each one more may be lost, acknowledged, in a crash.
AUTOSAVE_CHANGES = 1
MAX_QUEUED = 65_000  # messages kept while ingestion is away: the default of 1,000 drops the rest, 0 breaks 2.0.21
MAX_INFLIGHT = 1_000  # messages given to ingestion before an acknowledgement; the default of 20 makes it slow
LIST_KEPT = SERVER_LIFE / 3  # of the list of revocations, which says that it is good for `SERVER_LIFE`
SQLITE_SINCE: Final = (2, 1)  # the version of Mosquitto from which persistence can be in SQLite
SQLITE_PLUGINS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/local/lib")
SQLITE_PLUGIN = "mosquitto_persist_sqlite.so"

GENERAL = """
# Written by Device Gateway; it is written anew, do not edit.
user {user}
per_listener_settings true
{persistence}
max_queued_messages {max_queued}
max_inflight_messages {max_inflight}
message_size_limit {max_payload}
log_dest stderr
log_type error
log_type warning
log_type notice
"""
WHOLE_STORE = """persistence true
persistence_location {directory}/store/
autosave_on_changes true
autosave_interval {autosave}"""
SQLITE = """plugin {plugin}
plugin_opt_flush_period 0
persistence_location {directory}/store/"""
LISTENER = """
# {who}
listener {port} {host}
allow_anonymous false
{sign_in}
acl_file {directory}/{acl}.acl
{tls}"""
PASSWORDS = """password_file {directory}/{name}.passwords"""
CERTIFICATES = """require_certificate true
use_identity_as_username true
crlfile {directory}/revoked.pem"""
OWN_SESSION = """use_username_as_clientid true"""
TLS = """cafile {ca}
certfile {directory}/server.pem
keyfile {directory}/server.key"""


@dataclass(frozen=True)
class Places:
    """Where Mosquitto listens. Everything but `host` is a port.

    devices       with a password
    ingest        our own processes, on loopback
    certificates  devices with a certificate of the authority of `tls`; None: none are let in so
    """

    devices: int
    ingest: int
    certificates: int | None = None
    host: str = LOOPBACK
    tls: Tls | None = None


def write_configuration(
    directory: Path, connection: Connection[Row], ingest_password: str, places: Places, program: str = "mosquitto"
) -> Path:
    """Writes ``mosquitto.conf`` and the files it names, mode 0600; returns its path.

    `connection` has the role gateway_ingest. `write_devices` keeps the files of devices up to date from then on.
    Raises BadSetting for a listener that is open to a network without TLS, PartMissing without a `program`.
    """
    directory = directory.resolve()
    if places.tls is None and (places.host != LOOPBACK or places.certificates):
        raise BadSetting("Mosquitto: a listener for other hosts, or for certificates, needs TLS.")
    (directory / "store").mkdir(mode=0o700, parents=True, exist_ok=True)
    if places.tls:
        keep_server_certificate(places.tls, directory)
    write_devices(directory, connection, places.tls)
    write_private(directory / "ingest.passwords", _passwords([(INGEST_USER, hash_password(ingest_password))]))
    write_private(directory / "ingest.acl", _rights([(INGEST_USER, INGEST)]))
    general = GENERAL.format(
        user=pwd.getpwuid(os.geteuid()).pw_name,  # for root only: Mosquitto becomes this user and reads the files
        persistence=_persistence(directory, program), max_queued=MAX_QUEUED, max_inflight=MAX_INFLIGHT,
        max_payload=MAX_PAYLOAD,
    )  # fmt: skip
    listeners = _listeners(directory, places)
    write_private(directory / "mosquitto.conf", (general + listeners).encode())
    return directory / "mosquitto.conf"


def write_devices(directory: Path, connection: Connection[Row], tls: Tls | None = None) -> bool:
    """Who may connect, as the registry has it now; whether that is another list than before: send Mosquitto SIGHUP.

    It lets the new ones in then, and disconnects the released ones. The others notice nothing.
    """
    devices = connection.execute(DEVICES).fetchall()
    by_password = [(str(d.id), d.credential) for d in devices if not d.certified]
    files = {
        "devices.passwords": _passwords(by_password),
        "devices.acl": _rights([(str(d.id), rights_of(d.id, d.kind)) for d in devices]),
    }
    changed = [_write_changed(directory / name, content) for name, content in files.items()]
    if tls:
        changed += [_write_revoked(directory, connection, Authority(tls.authority))]
    return any(changed)


def mosquitto_version(program: str = "mosquitto") -> tuple[int, ...]:
    """For instance (2, 0, 11). Raises PartMissing."""
    try:
        said = subprocess.run([program, "-h"], capture_output=True, text=True, check=False, timeout=10).stdout
    except OSError as error:
        raise PartMissing(f"{program} cannot be started: {error}") from error
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
    if found is None:
        raise PartMissing(f"{program} is not Mosquitto.")
    return tuple(int(number) for number in found.groups())


def _listeners(directory: Path, places: Places) -> str:
    tls = TLS.format(ca=places.tls.authority / CA_FILE, directory=directory) if places.tls else ""
    passwords = f"{OWN_SESSION}\n{PASSWORDS.format(directory=directory, name='devices')}"
    made = [
        LISTENER.format(
            who="Devices, hubs and edges with a password", port=places.devices, host=places.host, sign_in=passwords,
            directory=directory, acl="devices", tls=tls,
        )
    ]  # fmt: skip
    if places.certificates:
        certificates = f"{OWN_SESSION}\n{CERTIFICATES.format(directory=directory)}"
        made.append(
            LISTENER.format(
                who="Devices, hubs and edges with a certificate", port=places.certificates, host=places.host,
                sign_in=certificates, directory=directory, acl="devices", tls=tls,
            )
        )  # fmt: skip
    made.append(
        LISTENER.format(
            who="Ingestion", port=places.ingest, host=LOOPBACK, directory=directory, acl="ingest", tls="",
            sign_in=PASSWORDS.format(directory=directory, name="ingest"),
        )
    )  # fmt: skip
    return "".join(made)


def _persistence(directory: Path, program: str) -> str:
    plugins = [Path(place) / SQLITE_PLUGIN for place in SQLITE_PLUGINS]
    if mosquitto_version(program) >= SQLITE_SINCE and (there := [plugin for plugin in plugins if plugin.exists()]):
        return SQLITE.format(plugin=there[0], directory=directory)
    return WHOLE_STORE.format(directory=directory, autosave=AUTOSAVE_CHANGES)


def _write_revoked(directory: Path, connection: Connection[Row], authority: Authority) -> bool:
    """The list is signed anew when something was added, and long before it is too old: then nobody would get in."""
    revoked = [(row.serial, row.revoked_at) for row in connection.execute(REVOKED).fetchall()]
    listed = "".join(f"{serial}\n" for serial, _ in revoked).encode()
    now, file = datetime.now(UTC), directory / "revoked.pem"
    fresh = file.exists() and now.timestamp() - file.stat().st_mtime < LIST_KEPT.total_seconds()
    if not _write_changed(directory / "revoked.serials", listed) and fresh:
        return False
    write_private(file, authority.revocations(revoked, now))
    return True


def _write_changed(path: Path, content: bytes) -> bool:
    if path.exists() and path.read_bytes() == content:
        return False
    write_private(path, content)
    return True


def _passwords(users: list[tuple[str, str]]) -> bytes:
    return "".join(f"{name}:{stored}\n" for name, stored in users).encode()


def _rights(users: list[tuple[str, Rights]]) -> bytes:
    lines = []
    for name, rights in users:
        lines.append(f"user {name}")
        lines += [f"topic write {topic}" for topic in rights.publish]
        lines += [f"topic read {topic}" for topic in rights.subscribe]
    return ("\n".join(lines) + "\n").encode()
