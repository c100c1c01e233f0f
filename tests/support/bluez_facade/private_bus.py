"""A message bus of our own: never the machine's."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
"""


class PrivateBus:
    """A dbus-daemon where everybody may do everything. `address` is what `DBUS_SYSTEM_BUS_ADDRESS` has to be."""

    def __init__(self, directory: Path) -> None:
        configuration, socket = directory / "bus.conf", directory / "bus"
        configuration.write_text(_CONFIGURATION.format(socket=socket), "utf-8")
        self.address = f"unix:path={socket}"
        command = ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address"]
        self._daemon = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._daemon.stdout is not None
        with self._daemon.stdout as said:
            assert said.readline().startswith("unix:"), "dbus-daemon does not start"

    def kill(self) -> None:
        """kill -9; once is enough."""
        self._daemon.kill()
        self._daemon.wait()


@contextmanager
def private_bus() -> Iterator[PrivateBus]:
    with tempfile.TemporaryDirectory() as directory:
        bus = PrivateBus(Path(directory))
        yield bus
        bus.kill()
