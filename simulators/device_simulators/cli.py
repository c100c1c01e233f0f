"""``device-gateway simulate …``: devices, a radio and apps, each startable alone."""

from typing import Annotated

import typer

from device_simulators.apps.command import app_agenda, app_teleconsultation
from device_simulators.ble.command import ble_glucose
from device_simulators.mqtt.scale import mqtt_scale

app = typer.Typer(no_args_is_help=True, help="Simulated devices, a virtual radio, and sample apps.")


@app.command()
def radio(spec: Annotated[str, typer.Argument(help="Where devices join it: unix:PATH or tcp:HOST:PORT.")]) -> None:
    """A virtual Bluetooth LE radio, which simulated devices and the gateway join."""
    from device_simulators.radio.air import serve

    serve(spec)


app.command("ble-glucose")(ble_glucose)
app.command("mqtt-scale")(mqtt_scale)
app.command("app-agenda")(app_agenda)
app.command("app-teleconsultation")(app_teleconsultation)
