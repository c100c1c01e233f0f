"""``device-gateway simulate …``: devices, a radio and apps, each startable alone.

A simulator's module is imported when it is called: the parts of the others cost a second.
"""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

SIMULATORS = {
    "radio": "device_simulators.cli:radio",
    "ble-glucose": "device_simulators.ble.command:ble_glucose",
    "ble-cgm": "device_simulators.ble.cgm:ble_cgm",
    "ble-scale": "device_simulators.ble.weight_scale:ble_scale",
    "ble-body-scale": "device_simulators.ble.body_scale:ble_body_scale",
    "ble-xiaomi-scale": "device_simulators.ble.xiaomi_scale:ble_xiaomi_scale",
    "ble-cuff": "device_simulators.ble.blood_pressure_cuff:ble_cuff",
    "ble-thermometer": "device_simulators.ble.thermometer:ble_thermometer",
    "ble-oximeter": "device_simulators.ble.oximeter:ble_oximeter",
    "ble-heart-rate": "device_simulators.ble.heart_rate_belt:ble_heart_rate",
    "mqtt-scale": "device_simulators.mqtt.scale:mqtt_scale",
    "app-agenda": "device_simulators.apps.command:app_agenda",
    "app-teleconsultation": "device_simulators.apps.command:app_teleconsultation",
    "candidate": "device_simulators.candidacy.command:candidate",
}


class Simulators(TyperGroup):
    """Knows them by name. Any: typer's classes of contexts and commands have no public name."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # typer's signature
        return list(SIMULATORS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # typer's signature
        if cmd_name not in SIMULATORS:
            return None
        module, _, function = SIMULATORS[cmd_name].partition(":")
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(getattr(import_module(module), function))
        return typer.main.get_command(alone)


def radio(spec: Annotated[str, typer.Argument(help="Where devices join it: unix:PATH or tcp:HOST:PORT.")]) -> None:
    """A virtual Bluetooth LE radio, which simulated devices and the gateway join."""
    from device_simulators.radio.air import serve

    serve(spec)


app = typer.Typer(cls=Simulators, no_args_is_help=True)


@app.callback()
def simulate() -> None:
    """Simulated devices, a virtual radio, and sample apps."""
