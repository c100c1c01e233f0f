"""Where devices find the broker."""

from device_gateway.errors import GatewayError
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
