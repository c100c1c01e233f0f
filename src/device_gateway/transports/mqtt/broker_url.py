"""A broker's URL, ``mqtt(s)://user:password@host:port``, in parts."""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

PORTS = {"mqtt": 1883, "mqtts": 8883}  # IANA


class BrokerUrl(NamedTuple):
    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None


def parse_broker_url(url: str) -> BrokerUrl:
    """Raises ValueError for anything that is no mqtt(s) URL."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("a URL like mqtt://host:1883 or mqtts://host:8883 is needed")
    return BrokerUrl(
        parts.hostname,
        parts.port or PORTS[parts.scheme],
        parts.scheme == "mqtts",
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )
