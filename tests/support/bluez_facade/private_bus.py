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


@contextmanager
def private_bus() -> Iterator[str]:
    """A dbus-daemon where everybody may do everything. Gives what `DBUS_SYSTEM_BUS_ADDRESS` has to be."""
    with tempfile.TemporaryDirectory() as directory:
        configuration, socket = Path(directory, "bus.conf"), Path(directory, "bus")
        configuration.write_text(_CONFIGURATION.format(socket=socket), "utf-8")
        command = ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
            assert daemon.stdout is not None
            try:
                assert daemon.stdout.readline().startswith("unix:"), "dbus-daemon does not start"
                yield f"unix:path={socket}"
            finally:
                daemon.terminate()
