"""Where devices find the broker."""

from device_gateway.errors import BadSetting, GatewayError
from device_gateway.settings import Settings

PORTS = {"mqtt": 1883, "mqtts": 8883}


class NoBroker(GatewayError):
    """This gateway cannot tell devices where its broker is; its operator must set DEVICE_GATEWAY_MQTT_PUBLIC_URL."""

    http_status = 503


def broker_of(settings: Settings) -> str:
    """``mqtt(s)://host:port``. Raises NoBroker."""
    broker = settings.mqtt_public_url or settings.mqtt_url
    if not broker:
        raise NoBroker
    return broker


def broker_authority(settings: Settings) -> str | None:
    """The authority that devices must trust to trust the broker, in PEM; None where it is one that everybody knows.

    Raises BadSetting for a file that cannot be read.
    """
    if settings.mqtt_ca is None:
        return None
    try:
        return settings.mqtt_ca.read_text("ascii")
    except (OSError, ValueError) as error:
        raise BadSetting(f"DEVICE_GATEWAY_MQTT_CA: {settings.mqtt_ca} cannot be read: {error}") from error
