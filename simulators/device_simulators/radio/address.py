"""Where a virtual radio listens: ``unix:PATH`` or ``tcp:HOST:PORT``."""

from dataclasses import dataclass

UNIX_PATH_LIMIT = 107  # octets: sun_path of Linux, less its closing zero; other systems allow 103


class BadRadioAddress(ValueError):
    """The address of a radio is ``unix:PATH`` or ``tcp:HOST:PORT``."""


@dataclass(frozen=True, slots=True)
class UnixAddress:
    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp:{self.host}:{self.port}"


def parse_radio_address(spec: str) -> UnixAddress | TcpAddress:
    """The address that `spec` names. Raises BadRadioAddress, which says what is wrong."""
    scheme, _, rest = spec.partition(":")
    if scheme == "unix" and rest:
        if len(rest.encode()) > UNIX_PATH_LIMIT:
            raise BadRadioAddress(f"{spec}: the path of a unix socket has at most {UNIX_PATH_LIMIT} octets")
        return UnixAddress(rest)
    host, _, port = rest.rpartition(":")
    if scheme == "tcp" and host and port.isdecimal() and int(port) <= 0xFFFF:
        return TcpAddress(host, int(port))
    raise BadRadioAddress(f"{spec!r} is no radio: unix:PATH or tcp:HOST:PORT is needed")
