"""``python -m device_gateway``: the same as the command `device-gateway`."""

from device_gateway.cli import main

main()
