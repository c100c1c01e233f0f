"""Settings: environment over file over what a supervisor left over defaults; a bad one is named."""

import json
import os
from pathlib import Path

import pytest

from device_gateway.errors import BadSetting
from device_gateway.settings import Settings, load_settings, shown


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("DEVICE_GATEWAY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    return path


def runtime(tmp_path: Path, **values: object) -> None:
    (tmp_path / "runtime.json").write_text(json.dumps(values))


def test_defaults_need_nothing() -> None:
    assert load_settings().port == 8000


def test_the_environment_is_over_the_file_is_over_the_supervisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime(tmp_path, port=1001, host="10.0.0.1", workers=2)
    file = toml(tmp_path, 'port = 1002\nhost = "10.0.0.2"')
    monkeypatch.setenv("DEVICE_GATEWAY_PORT", "1003")
    found = load_settings(tmp_path, file)
    assert (found.port, found.host, found.workers) == (1003, "10.0.0.2", 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"), ("PORT", "0"), ("PORT", "65536"), ("DATABASE_URL", "mysql://x"), ("MQTT_URL", "http://x"),
        ("PUBLIC_URL", "example.org"), ("PUBLIC_URL", "https://example.org/path"), ("INGEST_SLOTS", "3"),
        ("INGEST_SLOTS", "512"), ("INGEST_SLOTS", "0"), ("LOG_LEVEL", "LOUD"), ("INGEST_BATCH_ROWS", "0"),
        ("QUARANTINE_DAYS", "-1"), ("WORKERS", "many"), ("INGEST_METRICS", "host"), ("INGEST_METRICS", "host:0"),
    ],
)  # fmt: skip
def test_a_bad_setting_is_named_with_what_it_accepts(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"DEVICE_GATEWAY_{name}", value)
    with pytest.raises(BadSetting, match=f"DEVICE_GATEWAY_{name}: .*Accepts: ") as caught:
        load_settings()
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    ("given", "address"),
    [("", ""), ("9400", "127.0.0.1:9400"), ("0.0.0.0:9400", "0.0.0.0:9400"), ("[::1]:1", "[::1]:1")],
)
def test_figures_of_ingestion_are_served_nowhere_or_to_this_host_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, given: str, address: str
) -> None:
    monkeypatch.setenv("DEVICE_GATEWAY_INGEST_METRICS", given)
    assert load_settings().ingest_metrics == address


def test_a_setting_that_is_needed_and_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="DEVICE_GATEWAY_DATABASE_URL is not set"):
        _ = load_settings(tmp_path).owner_url


def test_a_misspelt_setting_in_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="unknown settings prot"):
        load_settings(None, toml(tmp_path, "prot = 80"))


@pytest.mark.parametrize("text", ["port = ", "=", "[[["])
def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSetting, match=r"gateway\.toml"):
        load_settings(None, toml(tmp_path, text))


@pytest.mark.parametrize("text", ["", "{", "[]", "7"])
def test_what_a_supervisor_left_half_written_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "runtime.json").write_text(text)
    with pytest.raises(BadSetting, match=r"runtime\.json"):
        load_settings(tmp_path)


def test_owner_and_ingestion_use_the_common_url_unless_they_have_their_own() -> None:
    common = Settings(database_url="postgresql://a@h/d")
    assert common.owner_url == common.ingest_url == "postgresql://a@h/d"
    own = Settings(database_url="postgresql://a@h/d", database_owner_url="postgresql://o@h/d")
    assert (own.owner_url, own.ingest_url) == ("postgresql://o@h/d", "postgresql://a@h/d")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://gateway:s3cret-word@host/db",
        "postgresql://gateway:s3cret-word@one:5432,two:5432/db",
        "postgresql://host/db?user=gateway&password=s3cret-word&sslmode=require",
    ],
)
def test_no_password_is_shown(url: str) -> None:
    rows = shown(Settings(database_url=url, mqtt_url="mqtt://ingest:s3cret-word@host:1883"))
    assert "s3cret-word" not in str(rows)
    assert any("host" in value for _, value, _ in rows)


def test_every_setting_is_listed_with_what_it_accepts() -> None:
    rows = shown(Settings())
    assert {name for name, _, _ in rows} == {f"DEVICE_GATEWAY_{name.upper()}" for name in Settings.model_fields}
    assert all(accepts for _, _, accepts in rows)
