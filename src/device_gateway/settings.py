"""Settings: environment ``DEVICE_GATEWAY_*``, then a TOML file, then what a supervisor left in DATA_DIR/runtime.json.

A bad setting stops the process at the start, with the variable's name and what it accepts.
"""

import json
import os
import re
import tomllib
from email.utils import parseaddr
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from device_gateway.errors import BadSetting

PREFIX = "DEVICE_GATEWAY_"
RUNTIME_FILE = "runtime.json"
LOOPBACK = "127.0.0.1"
PASSWORD_PARAMETER = re.compile(r"([?&](?:ssl)?password=)[^&]*")  # libpq takes a password there too


class Settings(BaseSettings):
    """What a process needs to know. URLs with passwords are never printed whole: see `shown`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = Field(Path(".demo"), description="Directory for the embedded database, broker, spool and secrets.")
    database_url: str = Field("", description="postgresql://… of the server. Roles are assumed with SET ROLE.")
    database_owner_url: str = Field("", description="postgresql://… for migrations; default: database_url.")
    database_ingest_url: str = Field("", description="postgresql://… for ingestion; default: database_url.")
    public_url: str = Field("http://127.0.0.1:8000", description="http(s)://… under which people and apps reach us.")
    host: str = Field("127.0.0.1", description="Address that `serve` listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port that `serve` listens on.")
    workers: int = Field(1, ge=1, le=64, description="HTTP worker processes of `serve`.")
    mqtt_url: str = Field("", description="mqtt(s)://user:password@host:port of the broker, for ingestion.")
    mqtt_public_url: str = Field("", description="mqtt(s)://host:port that devices are told; default: mqtt_url.")
    mqtt_ca: Path | None = Field(None, description="PEM file of the authority that signed the broker's certificate.")
    mqtt_certificate: Path | None = Field(
        None, description="PEM file, certificate and key, that our own processes show the broker; empty: none."
    )
    mqtt_certificate_url: str = Field(
        "", description="mqtts://host:port for devices with a certificate of ours; empty: none are issued."
    )
    mqtt_listen: str = Field("127.0.0.1", description="HOST or HOST:PORT where the embedded broker listens to MQTT.")
    mqtt_tls: bool = Field(False, description="TLS there: true or false. A must on anything but loopback.")
    mqtt_tls_certificate: Path | None = Field(
        None, description="PEM file, the chain that the embedded broker shows; empty: one of DEVICE_GATEWAY_AUTHORITY."
    )
    mqtt_tls_key: Path | None = Field(None, description="PEM file with the key of that certificate.")
    mqtt_tls_clients: bool = Field(
        False, description="true: the embedded broker lets in only who shows a certificate of that authority."
    )
    mqtt_flood: int = Field(
        2000, ge=0, description="Messages a second of one connection beyond which it is ended for a minute; 0: none."
    )
    authority: Path | None = Field(
        None,
        description="Directory of the authority that signs certificates of broker and devices; made if missing.",
    )
    nats_url: str = Field("", description="nats://127.0.0.1:4222 of the embedded broker; empty for any other broker.")
    nats_secrets: Path | None = Field(None, description="File with the passwords and the account key of that broker.")
    bond_key: Path | None = Field(
        None,
        description="File with the key that opens kept Bluetooth bonds, the same for every `serve`; made if missing.",
    )
    catalogue_key: Path | None = Field(
        None,
        description="File with the key that seals the catalogue's secrets, the same for every `serve` and `jobs`; "
        "made if missing; empty: no OpenID Connect.",
    )
    brand: Path | None = Field(
        None, description="TOML file that describes the organisation for SMART's User-access Brands; see docs/smart.md."
    )
    ingest_slots: int = Field(1, description="Sessions that share the load: 1, 2, 4, 8, 16 … 256.")
    ingest_batch_rows: int = Field(500, ge=1, le=20_000, description="Messages that are committed together, at most.")
    ingest_batch_ms: int = Field(20, ge=0, le=10_000, description="Milliseconds to wait for a batch to fill.")
    ingest_metrics: str = Field(
        "", description="PORT or HOST:PORT where a worker's figures are served under /metrics; empty: nowhere."
    )
    ingest_window: int = Field(1000, ge=1, le=60_000, description="Messages taken from the broker, not yet committed.")
    radio: str = Field("", description="unix:PATH or tcp:HOST:PORT of a virtual radio; empty for the host's Bluetooth.")
    bluez_directory: Path = Field(Path("/var/lib/bluetooth"), description="Where BlueZ of this host keeps its bonds.")
    claim_code_minutes: int = Field(15, ge=1, le=10_080, description="Life of a claim code.")
    session_hours: int = Field(12, ge=1, le=720, description="Life of a sign-in in the portal.")
    quarantine_days: int = Field(90, ge=1, le=3650, description="How long raw payloads that failed are kept.")
    inbox_days: int = Field(365, ge=1, le=3650, description="How long readings wait for an answer to “is this you?”.")
    mappings: Path | None = Field(None, description="Directory of mapping files (*.toml): products without an adapter.")
    chunk_hours: int = Field(168, ge=1, le=8760, description="Length of the chunks of a hypertable; see doctor.")
    compress_after_days: int = Field(30, ge=0, le=3650, description="Compress older chunks, where possible; 0: never.")
    retention_days: int = Field(0, ge=0, le=36_500, description="Remove readings that are older; 0: keep all.")
    archive_dir: Path | None = Field(None, description="Directory for archives of what is removed; empty: none.")
    import_max_mb: int = Field(64, ge=1, le=2048, description="Megabytes of a file that a patient may upload, at most.")
    tls_certificate: Path | None = Field(
        None, description="PEM file, the chain that `serve` shows by itself; empty: a proxy in front of it has TLS."
    )
    tls_key: Path | None = Field(None, description="PEM file with the key of that certificate.")
    client_authorities: Path | None = Field(
        None,
        description="PEM file of authorities and self-signed certificates (CA:FALSE) by which `serve`, with TLS of its "
        "own, knows those of apps; empty: it asks for none.",
    )
    client_certificate_peers: str = Field(
        "", description="Addresses or networks (CIDR) of TLS proxies that pass on clients' certificates; empty: none."
    )
    client_certificate_header: str = Field("Client-Cert", description="Header in which they do (RFC 9440, or PEM).")
    client_rate: int = Field(
        100, ge=0, description="Tokens, introspections and pushed requests a second for one app, each; 0: no limit."
    )
    jwks_hosts: str = Field("", description="Host names with private addresses that keys of apps may come from.")
    smtp_url: str = Field(
        "", description="smtp(s)://user:password@host:port that takes our mail; empty: it is kept, see `mail list`."
    )
    smtp_authorities: Path | None = Field(
        None, description="PEM file: who may vouch for the mail server, besides the system's; TLS also on this machine."
    )
    mail_from: str = Field("", description="Address that our mail comes from; default: no-reply at the public host.")
    mail_days: int = Field(90, ge=1, le=3650, description="How long mail is remembered, sent or not.")
    review_quorum: int = Field(2, ge=2, le=9, description="Evaluations that an opinion on an app needs, at least.")
    sandbox_days: int = Field(
        90, ge=30, le=3650, description="A vendor's simulated patient that nobody uses ends after so many days."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @field_validator("database_url", "database_owner_url", "database_ingest_url")
    @classmethod
    def _postgresql(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("postgresql", "postgres"):
            raise ValueError("a URL that begins with postgresql:// is needed")
        return value

    @field_validator("mqtt_url", "mqtt_public_url", "mqtt_certificate_url")
    @classmethod
    def _mqtt(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("mqtt", "mqtts"):
            raise ValueError("a URL that begins with mqtt:// or mqtts:// is needed")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("smtp", "smtps") or not parts.hostname):
            raise ValueError("a URL that begins with smtp:// or smtps:// is needed")
        if not unquote(f"{parts.username or ''}{parts.password or ''}").isascii():
            raise ValueError(
                "the user name and the password may have ASCII characters only"
            )  # smtplib encodes no other
        return value

    @field_validator("mail_from")
    @classmethod
    def _address_of_mail(cls, value: str) -> str:
        if value and ("@" not in parseaddr(value)[1] or not value.isprintable()):
            raise ValueError("an address is needed, for instance Device Gateway <no-reply@example.org>")
        return value

    @field_validator("public_url")
    @classmethod
    def _http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
            raise ValueError("an absolute http(s) URL without a path is needed")
        return value.rstrip("/")

    @field_validator("ingest_metrics")
    @classmethod
    def _address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65_535):
            raise ValueError("a port from 1 to 65535 is needed, alone or behind a host and a colon")
        return f"{host or LOOPBACK}:{port}" if value else value

    @field_validator("ingest_slots")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if not 1 <= value <= 256 or value & (value - 1):
            raise ValueError("a power of two from 1 to 256 is needed")
        return value

    @field_validator("client_certificate_peers")
    @classmethod
    def _networks(cls, value: str) -> str:
        for text in value.replace(",", " ").split():
            ip_network(text)  # its ValueError says what is wrong
        return value

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("one of DEBUG, INFO, WARNING, ERROR is needed")
        return value.upper()

    @property
    def owner_url(self) -> str:
        return self.database_owner_url or self.required("database_url")

    @property
    def ingest_url(self) -> str:
        return self.database_ingest_url or self.required("database_url")

    @property
    def fhir_url(self) -> str:
        return f"{self.public_url}/fhir"

    def required(self, name: str) -> str:
        """The setting `name`, or BadSetting that names the variable."""
        value = getattr(self, name)
        if not value:
            raise BadSetting(
                f"{PREFIX}{name.upper()} is not set, and {self.data_dir / RUNTIME_FILE} does not give it: "
                f"{Settings.model_fields[name].description}"
            )
        return str(value)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def load_settings(data_dir: Path | None = None, file: Path | None = None) -> Settings:
    """Environment over `file` (TOML) over ``DATA_DIR/runtime.json`` over defaults. Raises BadSetting."""
    values: dict[str, Any] = {}  # Any: TOML and JSON values, validated by pydantic below
    if file is not None:
        try:
            values = tomllib.loads(file.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise BadSetting(f"{file}: {error}") from error
        if unknown := set(values) - set(Settings.model_fields):
            raise BadSetting(f"{file}: unknown settings {', '.join(sorted(unknown))}")
    if data_dir is not None:
        values["data_dir"] = data_dir
    directory = Path(os.environ.get(f"{PREFIX}DATA_DIR") or values.get("data_dir") or ".demo")
    try:
        return Settings(**(_runtime(directory) | values))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        accepts = Settings.model_fields[name].description if name in Settings.model_fields else ""
        raise BadSetting(f"{PREFIX}{name.upper()}: {first['msg']}. Accepts: {accepts}") from error


def _runtime(directory: Path) -> dict[str, Any]:
    path = directory / RUNTIME_FILE
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadSetting(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise BadSetting(f"{path}: an object with settings is needed")
    return {name: value for name, value in found.items() if name in Settings.model_fields}


def shown(settings: Settings) -> list[tuple[str, str, str]]:
    """(variable, value with passwords hidden, what it accepts) for each setting."""
    rows = []
    for name, field in Settings.model_fields.items():
        text = str(getattr(settings, name) if getattr(settings, name) is not None else "")
        if password := urlsplit(text).password if "://" in text else None:
            text = text.replace(f":{password}@", ":***@")
        text = PASSWORD_PARAMETER.sub(r"\1***", text)
        rows.append((f"{PREFIX}{name.upper()}", text, field.description or ""))
    return rows
