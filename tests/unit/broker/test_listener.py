"""Where the embedded broker listens, and whether that is allowed; its certificate over the months."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from device_gateway.broker.listener import (
    Tls,
    keep_ingest_certificate,
    keep_server_certificate,
    listener_of,
    local_names,
)
from device_gateway.devices.authority import CA_FILE, SERVER_LIFE, Authority, NoCertificateOfOurs, common_name
from device_gateway.errors import BadSetting
from device_gateway.settings import Settings

NOW = datetime.now(UTC)


def settings(tmp_path: Path, **values: Any) -> Settings:
    return Settings(data_dir=tmp_path, **values)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "gateway.local", "[::]:8883"])  # noqa: S104
def test_a_listener_for_a_network_needs_tls(host: str, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="DEVICE_GATEWAY_MQTT_TLS=true"):
        listener_of(settings(tmp_path, mqtt_listen=host))
    secured = listener_of(settings(tmp_path, mqtt_listen=host, mqtt_tls=True))
    assert secured.port == 8883
    assert secured.tls


@pytest.mark.parametrize(
    ("wrong", "variable"),
    [
        ({"mqtt_listen": ""}, "MQTT_LISTEN"),
        ({"mqtt_listen": "127.0.0.1:99999"}, "MQTT_LISTEN"),
        ({"mqtt_tls_clients": True}, "MQTT_TLS"),
        ({"mqtt_tls": True, "mqtt_tls_certificate": Path("a")}, "MQTT_TLS_KEY"),
        ({"mqtt_tls": True, "mqtt_tls_certificate": Path("a"), "mqtt_tls_key": Path("b")}, "MQTT_PUBLIC_URL"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, Any], variable: str, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=f"DEVICE_GATEWAY_{variable}"):
        listener_of(settings(tmp_path, **wrong))


def test_loopback_needs_nothing(tmp_path: Path) -> None:
    found = listener_of(settings(tmp_path))
    assert (found.host, found.port, found.tls) == ("127.0.0.1", None, None)


def test_the_certificate_is_renewed_in_its_last_third_and_for_another_name(tmp_path: Path) -> None:
    tls = Tls(tmp_path / "authority", local_names())
    assert keep_server_certificate(tls, tmp_path, NOW)
    assert not keep_server_certificate(tls, tmp_path, NOW + SERVER_LIFE / 2)
    assert keep_server_certificate(tls, tmp_path, NOW + SERVER_LIFE * 0.7)
    assert keep_server_certificate(Tls(tls.authority, local_names("scale.example")), tmp_path, NOW + SERVER_LIFE * 0.7)
    first = (tmp_path / "authority" / CA_FILE).read_bytes()
    assert Authority(tmp_path / "authority").pem.encode() == first
    for file in (tmp_path / "server.key", tmp_path / "authority" / "ca.key"):
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_given_certificate_is_taken_over_when_it_changes(tmp_path: Path) -> None:
    given, place = tmp_path / "given", tmp_path / "place"
    given.mkdir()
    place.mkdir()
    own = Tls(tmp_path / "authority", ["broker.example"])
    keep_server_certificate(own, given, NOW)
    tls = Tls(own.authority, ["broker.example"], given / "server.pem", given / "server.key")
    assert keep_server_certificate(tls, place)
    assert not keep_server_certificate(tls, place)
    keep_server_certificate(own, given, NOW + SERVER_LIFE)
    assert keep_server_certificate(tls, place)
    (given / "server.pem").write_text("nonsense")
    with pytest.raises(BadSetting, match="MQTT_TLS_CERTIFICATE"):
        keep_server_certificate(tls, place)


def test_the_broker_cannot_pass_for_a_device_nor_a_device_for_the_broker(tmp_path: Path) -> None:
    tls = Tls(tmp_path / "authority", local_names())
    keep_server_certificate(tls, tmp_path)
    authority = Authority(tls.authority)
    of_broker = (tmp_path / "server.pem").read_text()
    with pytest.raises(NoCertificateOfOurs):
        authority.verified(of_broker, NOW)
    of_ingestion = authority.verified(keep_ingest_certificate(tls, tmp_path).read_text(), NOW)
    assert common_name(of_ingestion) == "ingest"
    usage = of_ingestion.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert x509.oid.ExtendedKeyUsageOID.SERVER_AUTH not in usage
    with pytest.raises(NoCertificateOfOurs):
        authority.verified(of_broker, NOW + timedelta(days=400))
