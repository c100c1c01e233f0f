"""What BlueZ means by its errors, in our words.

Names and texts as BlueZ 5.66 is known to give them; docs/bluetooth-hosts.md says which were seen on a real one.
"""

from typing import Final

from bleak.exc import BleakDBusError, BleakError

from device_gateway.transports.ble.errors import (
    BluetoothError,
    BondRefused,
    DeviceNotHeard,
    LinkLost,
    NoAnswer,
    RadioBusy,
    RadioUnavailable,
)

_BLUEZ: Final = "org.bluez.Error."
_DBUS: Final = "org.freedesktop.DBus.Error."

# The daemon that answered is gone, or none was ever there.
_SERVICE_GONE = {_DBUS + name for name in ("ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected")}
_OBJECT_GONE = {_DBUS + "UnknownObject", _BLUEZ + "DoesNotExist"}

_MEANING: dict[str, type[BluetoothError]] = {
    _BLUEZ + "AuthenticationFailed": BondRefused,
    _BLUEZ + "AuthenticationRejected": BondRefused,
    _BLUEZ + "AuthenticationCanceled": BondRefused,
    _BLUEZ + "AuthenticationTimeout": BondRefused,
    _BLUEZ + "ConnectionAttemptFailed": NoAnswer,
    _BLUEZ + "InProgress": RadioBusy,
    _BLUEZ + "NotReady": RadioUnavailable,
    _DBUS + "AccessDenied": RadioUnavailable,
} | dict.fromkeys(_OBJECT_GONE, DeviceNotHeard)

# A device that knows no key for us ends the connection while it is being encrypted. Kernel 6.12 calls that a cancelled
# connection, others a failed authentication, and bleak sees the link go while it waits for the services.
_CUT_SHORT = ("br-connection-canceled", "br-connection-key-missing", "failed to discover services, device disconnected")


def service_gone(error: Exception) -> bool:
    """Whether `bluetoothd` was not there to answer."""
    return isinstance(error, BleakDBusError) and error.dbus_error in _SERVICE_GONE


def link_gone(error: Exception) -> bool:
    """Whether an operation failed because there is no connection any more, whatever bleak still believes."""
    if not isinstance(error, BleakDBusError):
        return False
    if error.dbus_error in _SERVICE_GONE | _OBJECT_GONE | {_BLUEZ + "NotConnected"}:
        return True
    return error.dbus_error == _BLUEZ + "Failed" and error.dbus_error_details == "Not connected"


def bond_doubtful(error: Exception) -> bool:
    """Whether a connection failed as it does when the device has forgotten its bond; a poor signal may look alike."""
    if isinstance(error, BleakDBusError) and error.dbus_error == _BLUEZ + "AuthenticationFailed":
        return True
    return isinstance(error, BleakError) and any(text in str(error) for text in _CUT_SHORT)


def busy(error: Exception) -> bool:
    """Whether BlueZ does something of the kind already, for us or for another program."""
    return isinstance(error, BleakDBusError) and error.dbus_error == _BLUEZ + "InProgress"


def connect_error(error: Exception) -> BluetoothError | None:
    """Why a connection or a bond could not be made; None where the error is not one of BlueZ."""
    if service_gone(error):
        return RadioUnavailable("bluetoothd went away")
    if isinstance(error, BleakDBusError):
        meaning = _MEANING.get(error.dbus_error, LinkLost)
        return meaning(f"{meaning.__doc__} ({error})")
    if isinstance(error, BleakError) and str(error).startswith("device 'dev_") and str(error).endswith("not found"):
        return DeviceNotHeard("the system has dropped the device since it was heard: it has to be heard again")
    return None
