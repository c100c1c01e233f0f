"""Running a sample app as a process of its own."""

import contextlib
import logging
import socket
import sys

import uvicorn

from device_simulators.apps.app_descriptions import HOST, AppDescription, own_url
from device_simulators.apps.client import Registration
from device_simulators.apps.web import Setup, build_app

GRACE_S = 3  # seconds for requests in hand when the app is told to stop


def run_app(app: AppDescription, base_url: str, client_id: str, client_secret: str | None, port: int) -> None:
    """Serves `app` until SIGTERM or SIGINT. Prints ``app ready URL``. Raises OSError when the port is taken."""
    logging.getLogger("authlib").setLevel(logging.INFO)  # its debug log has whole tokens
    registration = Registration(client_id, app.redirect_uris(port)[0], client_secret)
    options = uvicorn.Config(
        build_app(Setup(app, base_url, own_url(port), registration)),
        log_level="warning",
        access_log=False,  # the query of the callback has the code in it
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    with socket.create_server((HOST, port)) as listening, contextlib.suppress(KeyboardInterrupt):
        AnnouncedServer(options, f"app ready {own_url(port)}").run(sockets=[listening])


class AnnouncedServer(uvicorn.Server):
    """Prints a line when it answers."""

    def __init__(self, options: uvicorn.Config, line: str) -> None:
        super().__init__(options)
        self._line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"{self._line}\n")
        sys.stdout.flush()
