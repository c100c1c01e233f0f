"""What weight and body composition scales share: their units, and consent where they tell people apart."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import typer
from bumble.device import Connection
from bumble.gatt import Service

from device_simulators.ble.measurement_memory import UNKNOWN_USER, Taken
from device_simulators.ble.measuring_device import MeasuringDevice, MeasuringOptions
from device_simulators.ble.peripheral import JUST_WORKS
from device_simulators.ble.user_data import UserData

KG_PER_LB = Decimal("0.45359237")
_M_PER_INCH = Decimal("0.0254")


@dataclass(frozen=True, kw_only=True)
class ScaleOptions(MeasuringOptions):
    """How one scale behaves. Its user 1 has the consent code 1000, user 2 the code 1001, …"""

    unit: Annotated[str, typer.Option(help="kg or lb.")] = "kg"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit not in ("kg", "lb"):
            raise ValueError("--unit: kg or lb is needed")


class Scale(MeasuringDevice):
    """Bonds with whoever asks. With users it is silent towards a peer without anybody's consent."""

    security = JUST_WORKS
    usual_hours = (7,)

    def __init__(self, options: ScaleOptions) -> None:
        self.is_imperial = options.unit == "lb"
        self._user_data: UserData | None = None
        super().__init__(options)

    def user_data(self) -> list[Service]:
        """User Data, on scales that tell people apart."""
        if not self.users:
            return []
        self._user_data = UserData(self.device, self.security, self.memory, self.wake)
        return [self._user_data.service]

    def may_fetch(self, connection: Connection, taken: Taken) -> bool:
        if self._user_data is None:
            return True
        user = self._user_data.user_of(connection)
        return user is not None and taken.user in (user, UNKNOWN_USER)

    def mass(self, kg: Decimal) -> bytes:
        """A mass in steps of 0.005 kg or 0.01 lb, whichever the scale shows."""
        steps = kg / KG_PER_LB / Decimal("0.01") if self.is_imperial else kg / Decimal("0.005")
        return round(steps).to_bytes(2, "little")

    def height(self, cm: Decimal) -> bytes:
        """A height in steps of 0.001 m or 0.1 inch."""
        m = cm / 100
        steps = m / _M_PER_INCH / Decimal("0.1") if self.is_imperial else m / Decimal("0.001")
        return round(steps).to_bytes(2, "little")

    def kg(self, number: Decimal, unit: str | None) -> Decimal:
        """What a file says, in kg. Raises ValueError for a unit that is none of weight."""
        match unit or ("lb" if self.is_imperial else "kg"):
            case "kg":
                return number
            case "lb":
                return number * KG_PER_LB
            case other:
                raise ValueError(f"{other} is no unit of weight: kg or lb is needed")
