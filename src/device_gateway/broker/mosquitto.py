"""Files for Mosquitto 2.x, made from the registry: configuration, passwords, rights. See docs/brokers.md.

Two listeners, each with passwords and rights of its own. For devices, the client id is replaced with the user name, so
that none takes over the session of another: Mosquitto would drop the queued messages that the taker may not read.
"""

import os
import pwd
from pathlib import Path

from psycopg import Connection

from device_gateway.broker.embedded import MAX_PAYLOAD
from device_gateway.broker.keys import write_private
from device_gateway.broker.rights import INGEST, INGEST_USER, Rights, rights_of
from device_gateway.database.pool import Row
from device_gateway.devices.credentials import hash_password

DEVICES = """
SELECT d.id, d.kind, d.credential FROM gateway.device d
WHERE d.credential IS NOT NULL
  AND EXISTS (SELECT FROM gateway.device_holding h WHERE h.device_id = d.id AND upper_inf(h.during))
ORDER BY d.id"""

AUTOSAVE_CHANGES = (
    1  # Mosquitto writes its whole store after so many; each one more may be lost, acknowledged, in a crash
)
MAX_QUEUED = 65_000  # messages kept while ingestion is away: the default of 1,000 drops the rest, 0 breaks 2.0.21
MAX_INFLIGHT = 1_000  # messages given to ingestion before an acknowledgement; the default of 20 makes it slow

CONFIGURATION = """
# Written by Device Gateway; it is written anew, do not edit.
user {user}
per_listener_settings true
persistence true
persistence_location {directory}/store/
autosave_on_changes true
autosave_interval {autosave}
max_queued_messages {max_queued}
max_inflight_messages {max_inflight}
message_size_limit {max_payload}
log_dest stderr
log_type error
log_type warning
log_type notice

# Devices, hubs and edges
listener {port} 127.0.0.1
allow_anonymous false
use_username_as_clientid true
password_file {directory}/devices.passwords
acl_file {directory}/devices.acl

# Ingestion
listener {ingest_port} 127.0.0.1
allow_anonymous false
password_file {directory}/ingest.passwords
acl_file {directory}/ingest.acl
"""


def write_configuration(
    directory: Path, connection: Connection[Row], ingest_password: str, port: int, ingest_port: int
) -> Path:
    """Writes ``mosquitto.conf`` and the files it names, mode 0600, for devices on `port`; returns its path.

    `connection` has the role gateway_ingest. To be called again, and Mosquitto sent SIGHUP, after devices were paired
    or released.
    """
    directory = directory.resolve()
    (directory / "store").mkdir(mode=0o700, parents=True, exist_ok=True)
    devices = connection.execute(DEVICES).fetchall()
    write_private(directory / "devices.passwords", _passwords([(str(d.id), d.credential) for d in devices]))
    write_private(directory / "devices.acl", _rights([(str(d.id), rights_of(d.id, d.kind)) for d in devices]))
    write_private(directory / "ingest.passwords", _passwords([(INGEST_USER, hash_password(ingest_password))]))
    write_private(directory / "ingest.acl", _rights([(INGEST_USER, INGEST)]))
    configuration = CONFIGURATION.format(
        user=pwd.getpwuid(os.geteuid()).pw_name,  # for root only: Mosquitto becomes this user and reads the files
        directory=directory, port=port, ingest_port=ingest_port, autosave=AUTOSAVE_CHANGES, max_queued=MAX_QUEUED,
        max_inflight=MAX_INFLIGHT, max_payload=MAX_PAYLOAD,
    )  # fmt: skip
    write_private(directory / "mosquitto.conf", configuration.encode())
    return directory / "mosquitto.conf"


def _passwords(users: list[tuple[str, str]]) -> bytes:
    return "".join(f"{name}:{stored}\n" for name, stored in users).encode()


def _rights(users: list[tuple[str, Rights]]) -> bytes:
    lines = []
    for name, rights in users:
        lines.append(f"user {name}")
        lines += [f"topic write {topic}" for topic in rights.publish]
        lines += [f"topic read {topic}" for topic in rights.subscribe]
    return ("\n".join(lines) + "\n").encode()
