"""``device-gateway simulate ble-glucose``."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from device_simulators.ble.glucose_meter import GlucoseMeter, MeterOptions
from device_simulators.ble.glucose_record import Unit
from device_simulators.ble.running import run_device
from device_simulators.radio.address import BadRadioAddress


async def run_meter(radio: str, options: MeterOptions) -> None:
    """One glucose meter on the radio at `radio`, until SIGTERM. Prints ``meter ready ADDRESS NAME``."""
    meter = GlucoseMeter(options)

    async def live() -> None:
        while options.interval_s > 0:
            await asyncio.sleep(options.interval_s)
            meter.memory.take_record()

    await run_device(radio, meter.start, f"meter ready {options.address} {options.name}", live)


def ble_glucose(
    *,
    radio: Annotated[
        str, typer.Option(envvar="DEVICE_GATEWAY_RADIO", help="Radio to join: unix:PATH or tcp:HOST:PORT.")
    ],
    address: Annotated[str, typer.Option(help="Bluetooth address of the meter.")] = MeterOptions.address,
    passkey: Annotated[
        int, typer.Option(min=0, max=999_999, help="Six digits that the meter shows.")
    ] = MeterOptions.passkey,
    records: Annotated[int, typer.Option(min=0, max=65_535, help="Records in memory.")] = MeterOptions.records,
    interval: Annotated[
        float, typer.Option(min=0, help="Seconds between new records; 0: none.")
    ] = MeterOptions.interval_s,
    seed: Annotated[int, typer.Option(help="Same seed, same person.")] = MeterOptions.seed,
    clock_skew: Annotated[
        float, typer.Option(help="Seconds that the meter's clock is ahead.")
    ] = MeterOptions.clock_skew_s,
    delay: Annotated[float, typer.Option(min=0, help="Seconds between notifications.")] = MeterOptions.delay_s,
    name: Annotated[str, typer.Option(help="Advertised name.")] = MeterOptions.name,
    unit: Annotated[str, typer.Option(help="mg/dL or mmol/L.")] = MeterOptions.unit,
    battery: Annotated[
        int, typer.Option(min=0, max=100, help="Percent of battery left.")
    ] = MeterOptions.battery_percent,
    state: Annotated[Path | None, typer.Option(help="File that keeps records, clock and bonds over a restart.")] = None,
    truncated_record: Annotated[
        int | None, typer.Option(help="Sequence number of a record that is sent cut short.")
    ] = None,
    drop_after: Annotated[
        int | None, typer.Option(min=0, help="Drop the link, once, after so many records of a transfer.")
    ] = None,
) -> None:
    """A Bluetooth LE glucose meter (Glucose Service), on a virtual radio."""
    if unit not in ("mg/dL", "mmol/L"):
        raise typer.BadParameter("mg/dL or mmol/L is needed", param_hint="--unit")
    shown: Unit = "mg/dL" if unit == "mg/dL" else "mmol/L"
    options = MeterOptions(
        address=address,
        passkey=passkey,
        records=records,
        interval_s=interval,
        seed=seed,
        clock_skew_s=clock_skew,
        delay_s=delay,
        name=name,
        unit=shown,
        battery_percent=battery,
        state=state,
        truncated_seq=truncated_record,
        drop_after=drop_after,
    )
    try:
        asyncio.run(run_meter(radio, options))
    except (BadRadioAddress, ValueError) as error:
        typer.echo(f"simulate ble-glucose: {error}", err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    typer.run(ble_glucose)
