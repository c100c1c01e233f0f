"""What can go wrong between us and a Bluetooth device. None of it loses what was received before."""

from device_gateway.errors import GatewayError


class BluetoothError(GatewayError):
    """The Bluetooth device cannot be used now."""

    http_status = 503
    fhir_code = "transient"
    exit_code = 75  # EX_TEMPFAIL of sysexits.h


class RadioUnavailable(BluetoothError):
    """This host has no usable Bluetooth radio."""

    exit_code = 69


class RadioBusy(BluetoothError):
    """The radio is occupied with another connection or another bond: try again in a moment."""


class DeviceNotHeard(BluetoothError):
    """The device does not advertise: wake it up and bring it nearer."""


class LinkLost(BluetoothError):
    """The connection to the device was lost."""


class NoAnswer(BluetoothError):
    """The device did not answer in time."""


class BondRefused(BluetoothError):
    """The device refused to bond: check the passkey that it shows."""

    exit_code = 77  # EX_NOPERM


class BondLost(BluetoothError):
    """The device has forgotten its bond with us, or we ours: remove the bond on both and pair again."""

    exit_code = 77


class BindKeyWrong(BluetoothError):
    """The bind key does not open what the device broadcasts: check its 32 digits, and that it is this device's."""

    exit_code = 77


class NothingMeasured(BluetoothError):
    """The device was not used in time: pair it again, and use it when you are asked to."""


class AccessRefused(BluetoothError):
    """The device does not allow this: it wants a bond first, or lacks what its profile prescribes."""


class RecordAccessRefused(BluetoothError):
    """The device did not complete the transfer of its records."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code  # response code of the Record Access Control Point, 0 where there was none
