"""What an advertisement says of a device that some adapter understands."""

from dataclasses import dataclass
from typing import Any

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from device_gateway.transports.ble.adapter import Advertised, broadcast_adapters, record_adapters

NOTHING = Advertised({}, {})


@dataclass(frozen=True, slots=True)
class Heard:
    """A device within reach. `rssi_dbm` is the signal strength of the last advertisement, `said` its content.

    model  key of the model that it is, as far as an advertisement tells
    """

    address: str
    name: str | None
    adapter: str
    rssi_dbm: int
    device: BLEDevice
    model: str
    said: Advertised = NOTHING

    @property
    def broadcasts(self) -> bool:
        """Whether it is only listened to: it takes no connection."""
        return self.adapter in broadcast_adapters()


def recognise(device: BLEDevice, advertisement: AdvertisementData) -> Heard | None:
    """The device, where its kind is known.

    One that broadcasts is known by its data, and asked about first: some of them name a service that they do not have.
    """
    address = device.address.upper()
    for key, kind in broadcast_adapters().items():
        if (model := kind.model_of(advertisement.service_data)) is not None:
            said = Advertised(advertisement.service_data, advertisement.manufacturer_data)
            return Heard(address, device.name, key, advertisement.rssi, device, model, said)
    for key, adapter in record_adapters().items():
        if adapter.matches(advertisement.service_uuids):
            models: Any = adapter  # adapters are found by entry point: their class is not known here
            return Heard(address, device.name, key, advertisement.rssi, device, str(models.models[0].key))
    return None
