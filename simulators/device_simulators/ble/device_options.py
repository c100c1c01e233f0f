"""What can be said of every simulated device on the command line; the fields of a dataclass are a command's options."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from device_simulators.ble.misbehaviour import LOW_BATTERY_PERCENT, Faults
from device_simulators.patients.virtual_patient import DEFAULT_PATIENT, VirtualPatient, patient
from device_simulators.radio.address import BadRadioAddress

Radio = Annotated[
    str,
    typer.Option(
        envvar="DEVICE_GATEWAY_RADIO",
        help="Radio to join: unix:PATH or tcp:HOST:PORT; hci:usb:0, as Bumble names it, is a real adapter.",
    ),
]
Address = Annotated[str, typer.Option(help="Bluetooth address of the device.")]
Name = Annotated[str, typer.Option(help="Advertised name.")]
Records = Annotated[int, typer.Option(min=0, max=65_535, help="Records in memory.")]
Interval = Annotated[float, typer.Option("--interval", min=0, help="Seconds between new records; 0: none.")]
Seed = Annotated[int, typer.Option(help="Same seed, same values, same faults.")]
Passkey = Annotated[int, typer.Option(min=0, max=999_999, help="Six digits that the device shows.")]
Users = Annotated[int, typer.Option(min=0, max=8, help="People that the device tells apart; 0: it does not.")]


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """What each simulated device has. Raises ValueError for what cannot be."""

    address: Address = "C0:00:00:00:00:01"
    name: Name = "Simulated device"
    records: Records = 0
    interval_s: Interval = 0
    seed: Seed = 1
    patient: Annotated[str | None, typer.Option(help="Virtual patient: adult#001 … child#010.")] = None
    replay: Annotated[Path | None, typer.Option(help="CSV file (time,value[,unit]) in place of the patient.")] = None
    clock_skew_s: Annotated[float, typer.Option("--clock-skew", help="Seconds that the device's clock is ahead.")] = 0
    state: Annotated[Path | None, typer.Option(help="File that keeps records, clock and bonds over a restart.")] = None
    battery_percent: Annotated[int, typer.Option("--battery", min=0, max=100, help="Percent of battery left.")] = 87
    mtu: Annotated[int, typer.Option(min=23, max=517, help="Largest ATT MTU: 23 leaves 20 octets for a value.")] = 517
    low_battery: Annotated[bool, typer.Option("--low-battery", help="Nearly empty, and says so.")] = False
    compare_numbers: Annotated[
        bool, typer.Option("--compare-numbers", help="Bonds by six digits that both show: prints them, and agrees.")
    ] = False
    forget_bond: Annotated[
        bool, typer.Option("--forget-bond", help="Forgets its bonds once, when the first bonded connection ends.")
    ] = False
    drop_link: Annotated[
        float, typer.Option(min=0, max=1, help="Chance, before each packet, that the link is dropped.")
    ] = 0
    duplicate: Annotated[bool, typer.Option("--duplicate", help="Sends each packet twice.")] = False
    reorder: Annotated[bool, typer.Option("--reorder", help="Sends records out of their order.")] = False

    def __post_init__(self) -> None:
        if self.patient is not None:
            patient(self.patient)

    @property
    def serial(self) -> str:
        return f"SIM-{self.address.replace(':', '')}"

    @property
    def battery(self) -> int:
        """Percent that the Battery service shows."""
        return LOW_BATTERY_PERCENT if self.low_battery else self.battery_percent

    @property
    def person(self) -> VirtualPatient:
        return patient(self.patient or DEFAULT_PATIENT)

    @property
    def faults(self) -> Faults:
        return Faults(self.drop_link, self.duplicate, self.reorder)


O = TypeVar("O", bound=DeviceOptions)  # noqa: E741  options


def device_command(
    name: str, options: type[O], run: Callable[[str, O], Coroutine[Any, Any, None]], about: str
) -> Callable[..., None]:
    """The function that typer makes the command `name` of: its options are the radio and the fields of `options`."""

    def simulate(radio: str, **given: Any) -> None:  # Any: what typer parsed, as the fields are annotated
        try:
            asyncio.run(run(radio, options(**given)))
        except (BadRadioAddress, ValueError) as error:
            typer.echo(f"simulate {name}: {error}", err=True)
            raise typer.Exit(2) from error

    hints = get_type_hints(options, include_extras=True)
    parameters = [inspect.Parameter("radio", inspect.Parameter.KEYWORD_ONLY, annotation=Radio)]
    for field in fields(options):
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        parameters.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name])
        )
    simulate.__doc__ = about
    simulate.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    simulate.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions do have one
    return simulate
