"""`device-gateway serve`: uvicorn around the application."""

import os
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from uvicorn.supervisors import Multiprocess

from device_gateway.app import create_app
from device_gateway.client_tls import tls_options
from device_gateway.errors import PortTaken
from device_gateway.ingest.dialects import use_mappings
from device_gateway.logs import configure_logs
from device_gateway.settings import PREFIX, Settings, load_settings

GRACE_S = 10  # seconds for requests in hand when the server is told to stop
WORKER_SILENCE_S = 60  # after which a worker process is replaced: one that starts on a busy machine is silent for long
YEAR_S = 31_536_000
LOOPBACK = ("localhost", "127.0.0.1", "::1")  # where other programs may speak plain HTTP


def application() -> object:
    """For several worker processes, each of which loads its settings by itself, and logs as the first one does."""
    settings = load_settings()
    configure_logs("serve", settings.log_level)
    use_mappings(settings.mappings)
    return create_app(settings)


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


class _Workers(Multiprocess):
    """Several worker processes on one socket. Says when it listens: who comes before a worker is up waits for it."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config, [config.bind_socket()])
        self._announce = announce

    def init_processes(self) -> None:
        super().init_processes()
        self._announce()


def serve_http(settings: Settings, host: str, port: int, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is called once it listens. Raises PortTaken."""
    options: dict[str, Any] = {
        "host": host, "port": port, "log_config": None, "access_log": False, "timeout_graceful_shutdown": GRACE_S,
        "server_header": False, "proxy_headers": False, "headers": _headers(settings), **tls_options(settings),
    }  # fmt: skip
    _check_free(host, port)
    if settings.workers > 1:
        os.environ.update(_environment(settings))
        config = uvicorn.Config(
            "device_gateway.serving:application", factory=True, workers=settings.workers,
            timeout_worker_healthcheck=WORKER_SILENCE_S, **options,
        )  # fmt: skip
        _Workers(config, announce).run()
    else:
        _Server(uvicorn.Config(create_app(settings), **options), announce).run()


def _headers(settings: Settings) -> list[tuple[str, str]]:
    """With TLS of our own browsers are told to come by nothing else (RFC 6797); a proxy in front says so by itself."""
    if settings.tls_certificate is None or urlsplit(settings.public_url).hostname in LOOPBACK:
        return []
    return [("Strict-Transport-Security", f"max-age={YEAR_S}")]


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as variables: whatever file or option they come from, worker processes find them there."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items() if value is not None}


def _check_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(f"Port {port} on {host} is in use; choose another one with --port.") from error
