"""The air: a process that gives every connection on its socket a Bluetooth controller of its own, all on one link.

``python -m device_simulators.radio.air unix:air.sock`` prints ``radio ready ADDRESS`` and serves until it is
stopped. What speaks HCI can join: simulated meters, the gateway's virtual radio, a BlueZ host over a bridge.
"""

import asyncio
import itertools
import signal
import socket
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import cast

import structlog
from bumble import hci, ll
from bumble.controller import Controller
from bumble.transport.common import StreamPacketSink, StreamPacketSource

from device_simulators.radio.address import BadRadioAddress, TcpAddress, UnixAddress, parse_radio_address
from device_simulators.radio.controller import AirController
from device_simulators.radio.link import AirLink

UNREAD_LIMIT = 8 * 1024 * 1024  # octets: a host that stopped reading is dropped before it fills our memory

_log = structlog.get_logger(__name__)


class BoundedSink(StreamPacketSink):
    """The way to one host. One that stopped reading loses its connection."""

    def on_packet(self, packet: bytes) -> None:
        if self.transport.get_write_buffer_size() > UNREAD_LIMIT:
            _log.warning("radio.host_dropped", why="it does not read")
            self.transport.abort()
            return
        super().on_packet(packet)


class Port(StreamPacketSource):
    """One host on the air: its socket, and the controller behind it."""

    def __init__(self, link: AirLink, number: int) -> None:
        super().__init__()
        self._link = link
        self._number = number
        self._controller: Controller | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sink = BoundedSink(cast(asyncio.Transport, transport))  # a stream socket's transport, always
        # No public address: with one, Bumble hands out the public identity in pairing while connections use the random
        # static one, and the bond is never found again.
        controller = AirController(
            f"controller-{self._number}",
            host_source=self,
            host_sink=sink,
            link=self._link,
        )
        # Without these two a BlueZ host works as well (google/bumble#841), and Bumble hosts do not miss them.
        controller.le_features &= ~(hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING)
        self._controller = controller

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """A host that ends takes its device out of range: each peer sees its link time out."""
        controller = self._controller
        if controller is None:
            return
        controller.le_legacy_advertiser.stop()
        for advertising_set in controller.advertising_sets.values():
            advertising_set.stop()
        for connection in list(controller.le_connections.values()):
            connection.send_ll_control_pdu(ll.TerminateInd(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR))
        controller.set_packet_sink(None)
        self._link.controllers.discard(controller)


async def open_air(spec: str) -> tuple[asyncio.Server, str]:
    """Serves a radio at `spec`. Returns the server and the address (with the port that was chosen for ``:0``).

    Raises BadRadioAddress, or OSError when the address is taken.
    """
    address = parse_radio_address(spec)
    link = AirLink()
    numbers = itertools.count(1)
    loop = asyncio.get_running_loop()

    def port() -> Port:
        return Port(link, next(numbers))

    if isinstance(address, UnixAddress):
        _remove_stale(Path(address.path))
        server = await loop.create_unix_server(port, address.path)
        return server, str(address)
    server = await loop.create_server(port, address.host, address.port)
    return server, str(TcpAddress(address.host, server.sockets[0].getsockname()[1]))


def _remove_stale(path: Path) -> None:
    """Removes the socket file that a killed radio left. Raises FileExistsError where it is in use, or no socket."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise FileExistsError(f"{path} is there and is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise FileExistsError(f"a radio is already served at {path}")


async def run_air(spec: str) -> None:
    """Serves a radio at `spec` until SIGTERM or SIGINT."""
    server, address = await open_air(spec)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows: ends at once, which is as good here
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    sys.stdout.write(f"radio ready {address}\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()


def serve(spec: str) -> None:
    """Serves a radio at `spec` in this process until it is stopped. Exits 2 with the reason when it cannot."""
    try:
        asyncio.run(run_air(spec))
    except (BadRadioAddress, OSError) as error:
        sys.stderr.write(f"radio: {error}\n")
        raise SystemExit(2) from error


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m device_simulators.radio.air unix:PATH|tcp:HOST:PORT\n")
        raise SystemExit(2)
    serve(sys.argv[1])
