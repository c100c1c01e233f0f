"""`doctor`: what this installation can do, what is wrong with it, and what to do about that."""

import smtplib
from contextlib import closing
from dataclasses import dataclass

import psycopg
import typer

from device_gateway.catalogue_key import catalogue_key
from device_gateway.commands.options import AsJson, ConfigFile, DataDir, console, print_json, settings_of
from device_gateway.database.capabilities import Capabilities, capabilities
from device_gateway.database.migrate import pending
from device_gateway.database.pool import connect
from device_gateway.devices.authority import Authority
from device_gateway.devices.bond_box import gateway_key
from device_gateway.errors import BadSetting
from device_gateway.ingest.dialects import adapters, broken_adapters
from device_gateway.mail.delivery import Server, words_for
from device_gateway.settings import Settings
from device_gateway.store.measure import measure
from device_gateway.transports.mqtt.broker_url import parse_broker_url
from device_gateway.transports.mqtt.check import Unanswered, broker_faults, broker_problem


@dataclass(frozen=True)
class Finding:
    """`problem` is None where all is well; otherwise it says what to do."""

    part: str
    state: str
    problem: str | None = None


def doctor(data_dir: DataDir = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Look at database, broker, radio and adapters. Exit code 1 when something is wrong."""
    settings = settings_of(data_dir, config)
    findings = [
        *_database(settings),
        *_broker(settings),
        _radio(settings),
        _bonds(settings),
        _catalogue(settings),
        _mail(settings),
        _adapters(),
    ]
    if as_json:
        print_json([{"part": f.part, "state": f.state, "problem": f.problem} for f in findings])
    else:
        for finding in findings:
            mark = "[red]✗[/red]" if finding.problem else "[green]✓[/green]"
            console.print(
                f"{mark} {finding.part}: {finding.state}" + (f" — {finding.problem}" if finding.problem else "")
            )
    if any(finding.problem for finding in findings):
        raise typer.Exit(1)


def _database(settings: Settings) -> list[Finding]:
    if not settings.database_url:
        return [Finding("database", "not set", "set DEVICE_GATEWAY_DATABASE_URL, or --data-dir of a running demo")]
    try:
        with psycopg.connect(settings.owner_url, autocommit=True, connect_timeout=5) as connection:
            found = capabilities(connection)
            waiting = pending(connection)
    except psycopg.Error as error:
        return [Finding("database", "unreachable", f"check the URL and the server: {str(error).splitlines()[0]}")]
    engine = f"TimescaleDB {found.timescaledb}" if found.timescaledb else "plain partitions"
    findings = [Finding("database", f"PostgreSQL {found.server}, {engine}")]
    findings += [Finding("capability", reason) for reason in found.refused]
    if waiting:
        findings.append(Finding("migrations", f"{len(waiting)} missing", "run device-gateway migrate"))
    else:
        findings.append(Finding("migrations", "up to date"))
        findings.append(_store(found, settings))
    return findings


def _store(found: Capabilities, settings: Settings) -> Finding:
    """Pieces and their size; whether chunks have a length that fits what comes in."""
    try:
        with connect(settings.owner_url, "gateway_owner") as connection:
            measured = measure(connection)
    except psycopg.errors.InsufficientPrivilege:
        return Finding("store", "not looked at: that needs DEVICE_GATEWAY_DATABASE_OWNER_URL")
    kind = "chunks" if measured.hypertable else "months"
    state = f"{measured.pieces} {kind}, {measured.compressed} of them compressed, {measured.bytes / 1e9:.1f} GB"
    problem = None
    if found.hypertable and not measured.hypertable:
        problem = "TimescaleDB is there and not used: run device-gateway migrate --to-timescale"
    elif measured.hypertable and measured.fitting_hours < settings.chunk_hours / 2:
        problem = f"chunks outgrow the memory: set DEVICE_GATEWAY_CHUNK_HOURS={measured.fitting_hours}"
    return Finding("store", f"{state}, {measured.rows_per_day:,.0f} readings a day", problem)


def _broker(settings: Settings) -> list[Finding]:
    """A broker of somebody else is asked how it treats strangers, absent sessions and long messages, too."""
    if not settings.mqtt_url:
        return [Finding("broker", "not set", "set DEVICE_GATEWAY_MQTT_URL, or --data-dir of a running demo")]
    url, files = parse_broker_url(settings.mqtt_url), (settings.mqtt_ca, settings.mqtt_certificate)
    state = f"{url.host}:{url.port}" + (" (embedded)" if settings.nats_url else "") + (", TLS" if url.tls else "")
    problem = broker_problem(url, *files)
    findings = [Finding("broker", state, problem), *_authority(settings)]
    if problem or settings.nats_url:
        return findings
    try:
        faults = broker_faults(url, *files)
    except Unanswered as why:
        return [*findings, Finding("broker's manners", "not looked at", str(why))]
    findings += [Finding("broker's manners", state, fault) for fault in faults]
    kept = "whether it has on disk what it acknowledges, no client can see: docs/brokers.md says it per product"
    return [*findings, Finding("broker's persistence", kept)]


def _authority(settings: Settings) -> list[Finding]:
    if settings.authority is None:
        return []
    try:
        known = Authority(settings.authority).certificate
    except BadSetting as error:
        return [Finding("authority", "not there", error.message)]
    until = f"{known.not_valid_after_utc:%Y-%m-%d}"
    return [Finding("authority", f"{settings.authority}, until {until}: back it up, apart from the database")]


def _radio(settings: Settings) -> Finding:
    return Finding("radio", f"virtual, {settings.radio}" if settings.radio else "the Bluetooth adapter of this host")


def _bonds(settings: Settings) -> Finding:
    try:
        key = gateway_key(settings)
    except BadSetting as error:
        return Finding("bonds", "not kept", error.message)
    if key is None:
        return Finding("bonds", "not kept: an edge on a new host pairs its devices again (DEVICE_GATEWAY_BOND_KEY)")
    return Finding("bonds", f"kept, opened by {settings.bond_key}: back it up, apart from the database")


def _catalogue(settings: Settings) -> Finding:
    try:
        key = catalogue_key(settings)
    except BadSetting as error:
        return Finding("apps", "no OpenID Connect", error.message)
    if key is None:
        return Finding("apps", "no OpenID Connect for them (DEVICE_GATEWAY_CATALOGUE_KEY)")
    return Finding("apps", f"signing keys sealed with {settings.catalogue_key}: back it up, apart from the database")


def _mail(settings: Settings) -> Finding:
    """Whether mail goes out; no server is no fault, for the operator may hand on what it says."""
    if not settings.smtp_url:
        return Finding("mail", "kept, not sent (DEVICE_GATEWAY_SMTP_URL is not set): device-gateway mail list")
    try:
        with closing(Server.of(settings).open()):
            return Finding("mail", "handed in by SMTP")
    except (OSError, smtplib.SMTPException) as error:
        return Finding("mail", f"nothing goes out. {words_for(error)}", "check DEVICE_GATEWAY_SMTP_URL")


def _adapters() -> Finding:
    keys = sorted(adapter.key for adapter in adapters())
    problem = None if keys else "install a package of adapters"
    if broken := broken_adapters():
        problem = "; ".join(
            f"{name} cannot be loaded, mend or remove its package: {why}" for name, why in broken.items()
        )
    return Finding("adapters", ", ".join(keys) or "none", problem)
