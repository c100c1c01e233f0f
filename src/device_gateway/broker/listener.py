"""Where the embedded broker listens to MQTT, and its certificate: a given one, or one of our own authority."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from device_gateway.broker.keys import write_private
from device_gateway.broker.rights import INGEST_USER
from device_gateway.devices.authority import AUTHORITY_LIFE, Authority, is_due, private_pem
from device_gateway.errors import BadSetting
from device_gateway.settings import LOOPBACK, Settings

AUTHORITY = "authority"  # directory in DATA_DIR, unless another one is set
PORTS = {False: 1883, True: 8883}  # IANA; by whether there is TLS
SERVER_CERTIFICATE, SERVER_KEY, INGEST_CERTIFICATE = "server.pem", "server.key", "ingest.pem"


@dataclass(frozen=True)
class Tls:
    """authority    directory of the authority that signs what is not given, and devices' certificates
    names        host names and addresses under which clients reach the broker
    certificate  with `key`: files with a certificate of somebody else; its names are the operator's affair
    clients      whether only who shows a certificate of the authority is let in
    """

    authority: Path
    names: Sequence[str]
    certificate: Path | None = None
    key: Path | None = None
    clients: bool = False


@dataclass(frozen=True)
class Listener:
    """port  None: a free one, the same at the next start"""

    host: str = LOOPBACK
    port: int | None = None
    tls: Tls | None = None

    @property
    def public_host(self) -> str:
        """A name under which devices find it."""
        if self.tls and self.tls.certificate:
            return self.tls.names[0]
        return socket.gethostname() if _is_any(self.host) else self.host

    @property
    def own_host(self) -> str:
        """Where processes of this host find it, under a name that its certificate has."""
        if self.tls and self.tls.certificate:
            return self.public_host
        return LOOPBACK if _is_any(self.host) else self.host


def listener_of(settings: Settings) -> Listener:
    """The one that `settings` describe. Raises BadSetting, also for one that is open to a network without TLS."""
    host, port = _address(settings)
    if not settings.mqtt_tls:
        if not _is_loopback(host):
            raise BadSetting(
                f"DEVICE_GATEWAY_MQTT_LISTEN: {host} can be reached from other hosts, and passwords would cross the"
                " network in clear. Set DEVICE_GATEWAY_MQTT_TLS=true, or listen on 127.0.0.1."
            )
        if settings.mqtt_tls_clients or settings.mqtt_tls_certificate:
            raise BadSetting("DEVICE_GATEWAY_MQTT_TLS: certificates need TLS, which is switched off.")
        return Listener(host, port)
    return Listener(host, port or (None if _is_loopback(host) else PORTS[True]), _tls(settings, host))


def own_authority(settings: Settings) -> Path:
    """Its directory."""
    return settings.authority or settings.data_dir.resolve() / AUTHORITY


def local_names(*more: str) -> list[str]:
    """What clients on this host and beside it may call it."""
    host = socket.gethostname()
    names = [*more, "localhost", LOOPBACK, "::1", host, f"{host}.local"]
    return list(dict.fromkeys(name for name in names if name and not _is_any(name)))


def keep_server_certificate(tls: Tls, directory: Path, now: datetime | None = None) -> bool:
    """Puts ``server.pem`` and ``server.key`` into `directory`; whether they are others than before.

    Ours are made anew when their last third begins, or the names or the authority changed; given ones are copied, so
    that what renews them is seen. Raises BadSetting.
    """
    now = now or datetime.now(UTC)
    certificate, key = directory / SERVER_CERTIFICATE, directory / SERVER_KEY
    if tls.certificate:
        content, secret = _given(tls)
        if certificate.exists() and certificate.read_bytes() == content:
            return False
    else:
        authority = Authority(tls.authority)
        if certificate.exists() and _still_good(certificate, authority, tls.names, now):
            return False
        private = ec.generate_private_key(ec.SECP256R1())
        content = (authority.sign_server(private.public_key(), tls.names, now).pem + authority.pem).encode()
        secret = private_pem(private)
    write_private(key, secret)
    write_private(certificate, content)
    return True


def keep_ingest_certificate(tls: Tls, directory: Path) -> Path:
    """``ingest.pem``: what our own processes show a broker that asks for certificates. As good as the authority is."""
    authority, file = Authority(tls.authority), directory / INGEST_CERTIFICATE
    if file.exists():
        known = x509.load_pem_x509_certificate(file.read_bytes())
        if known.issuer == authority.certificate.subject:
            return file
    private = ec.generate_private_key(ec.SECP256R1())
    issued = authority.sign_client(private.public_key(), INGEST_USER, datetime.now(UTC), AUTHORITY_LIFE)
    write_private(file, private_pem(private) + issued.pem.encode())
    return file


def _tls(settings: Settings, host: str) -> Tls:
    if (settings.mqtt_tls_certificate is None) != (settings.mqtt_tls_key is None):
        raise BadSetting("DEVICE_GATEWAY_MQTT_TLS_KEY: a certificate and its key are set together, or neither.")
    public = urlsplit(settings.mqtt_public_url).hostname or ""
    if settings.mqtt_tls_certificate and not public:
        raise BadSetting(
            "DEVICE_GATEWAY_MQTT_PUBLIC_URL: say under which name of DEVICE_GATEWAY_MQTT_TLS_CERTIFICATE the broker is"
            " reached: mqtts://host:port."
        )
    return Tls(
        own_authority(settings), local_names(public, host), settings.mqtt_tls_certificate, settings.mqtt_tls_key,
        settings.mqtt_tls_clients,
    )  # fmt: skip


def _address(settings: Settings) -> tuple[str, int | None]:
    parts = urlsplit(f"//{settings.mqtt_listen}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.path or parts.username:
        raise BadSetting(f"DEVICE_GATEWAY_MQTT_LISTEN: {settings.mqtt_listen!r} is neither HOST nor HOST:PORT.")
    return host, port


def _given(tls: Tls) -> tuple[bytes, bytes]:
    assert tls.certificate  # noqa: S101  # the caller looked, and `_tls` that the key is there too
    assert tls.key  # noqa: S101
    try:
        content, secret = tls.certificate.read_bytes(), tls.key.read_bytes()
        x509.load_pem_x509_certificates(content)
    except (OSError, ValueError) as error:
        raise BadSetting(f"DEVICE_GATEWAY_MQTT_TLS_CERTIFICATE: it cannot be read: {error}") from error
    return content, secret


def _still_good(file: Path, authority: Authority, names: Sequence[str], now: datetime) -> bool:
    known = x509.load_pem_x509_certificates(file.read_bytes())[0]
    if known.issuer != authority.certificate.subject or is_due(known, now):
        return False
    said = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    there = {str(value) for kind in (x509.DNSName, x509.IPAddress) for value in said.get_values_for_type(kind)}
    return set(names) <= there


def _is_any(host: str) -> bool:
    return host in {"0.0.0.0", "::"}  # noqa: S104  # nosec B104  # compared, not listened on


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
