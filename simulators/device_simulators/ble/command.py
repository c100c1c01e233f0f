"""``device-gateway simulate ble-glucose``."""

import typer

from device_simulators.ble.device_options import device_command
from device_simulators.ble.glucose_meter import GlucoseMeter, MeterOptions
from device_simulators.ble.simulated_device import run_simulated


async def run_meter(radio: str, options: MeterOptions) -> None:
    """One glucose meter on the radio at `radio`, until SIGTERM. Prints ``meter ready ADDRESS NAME``."""
    await run_simulated(radio, GlucoseMeter(options), options)


ble_glucose = device_command(
    "ble-glucose", MeterOptions, run_meter, "A Bluetooth LE glucose meter (Glucose Service), bonded with by passkey."
)

if __name__ == "__main__":
    typer.run(ble_glucose)
