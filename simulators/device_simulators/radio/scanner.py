"""bleak's scanner backend on a virtual radio."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal, cast

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.uuids import normalize_uuid_str
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement

from device_simulators.radio.host import Host, Joined, listen, stop_listening

_SERVICE_LISTS = (
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)
_SERVICE_DATA = (AdvertisingData.SERVICE_DATA_16_BIT_UUID, AdvertisingData.SERVICE_DATA_128_BIT_UUID)


def uuid_text(uuid: UUID) -> str:
    """A Bumble UUID in the form that bleak uses."""
    separator = "-" if len(uuid.uuid_bytes) == 16 else ""
    return normalize_uuid_str(uuid.to_hex_str(separator))


class VirtualScanner(BaseBleakScanner):
    """What `BleakScanner(backend=…)` drives. `VirtualRadio` makes the subclass that knows its host."""

    host: ClassVar[Host]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: Literal["active", "passive"],  # noqa: ARG002  there is no scan request on this air
        **_platform_arguments: Any,  # Any: options of other platforms, by bleak's contract ignored
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._joined: Joined | None = None

    async def start(self) -> None:
        self.seen_devices = {}
        self._joined = await self.host.joined()
        await listen(self._joined, self._heard)

    async def stop(self) -> None:
        if self._joined is not None:
            await stop_listening(self._joined, self._heard)

    def _heard(self, heard: Advertisement) -> None:
        service_uuids = list(_services(heard.data))
        if not self.is_allowed_uuid(service_uuids):
            return
        name = heard.data.get(AdvertisingData.COMPLETE_LOCAL_NAME) or heard.data.get(
            AdvertisingData.SHORTENED_LOCAL_NAME
        )
        manufacturers = heard.data.get_all(AdvertisingData.MANUFACTURER_SPECIFIC_DATA)
        data = AdvertisementData(
            local_name=name,
            manufacturer_data={company: bytes(content) for company, content in manufacturers},
            service_data=dict(service_data(heard.data)),
            service_uuids=service_uuids,
            tx_power=heard.data.get(AdvertisingData.TX_POWER_LEVEL),
            rssi=heard.rssi,
            platform_data=(heard,),
        )
        address = heard.address.to_string(False)
        self.call_detection_callbacks(self.create_or_update_device(address, address, name, heard.address, data), data)


def service_data(data: AdvertisingData) -> Iterator[tuple[str, bytes]]:
    """Service data by UUID, in the form that bleak and BlueZ use."""
    for kind in _SERVICE_DATA:
        for uuid, content in cast(list[tuple[UUID, bytes]], data.get_all(kind)):  # what Bumble makes of these kinds
            yield uuid_text(uuid), bytes(content)


def _services(data: AdvertisingData) -> Iterator[str]:
    for kind in _SERVICE_LISTS:
        for uuids in data.get_all(kind):
            yield from map(uuid_text, cast(list[UUID], uuids))  # what Bumble makes of these kinds
