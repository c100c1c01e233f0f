"""What all objects of the facade share on the bus: who calls, and how they are refused."""

from contextvars import ContextVar

from bumble.att import ATT_Error
from bumble.core import UUID, ProtocolError
from dbus_fast import DBusError

ADAPTER = "/org/bluez/hci0"
SENDER: ContextVar[str] = ContextVar("SENDER")  # unique bus name of whoever called the method that runs

# src/gatt-client.c of BlueZ, create_gatt_dbus_error
_OF_ATT = {
    0x02: ("NotPermitted", "Read not permitted"),
    0x03: ("NotPermitted", "Write not permitted"),
    0x05: ("NotPermitted", "Not paired"),
    0x06: ("NotSupported", "Operation is not supported"),
    0x07: ("InvalidArguments", "Invalid offset"),
    0x08: ("NotAuthorized", "Operation Not Authorized"),
    0x0C: ("NotPermitted", "Not paired"),
    0x0D: ("InvalidArguments", "Invalid Length"),
    0x0F: ("NotPermitted", "Not paired"),
    0xFD: ("ImproperlyConfigured", "Improperly Configured"),
}


def refusal(name: str, text: str) -> DBusError:
    """An error in BlueZ's name space."""
    return DBusError(f"org.bluez.Error.{name}", text)


def attribute_refusal(error: ATT_Error | ProtocolError) -> DBusError:
    """What BlueZ makes of an ATT error."""
    code = int(error.error_code)
    return refusal(*_OF_ATT.get(code, ("Failed", f"Operation failed with ATT error: 0x{code:02x}")))


def uuid_text(uuid: UUID) -> str:
    """A UUID as BlueZ writes it: 128 bits, lower case."""
    if len(uuid.uuid_bytes) == 16:
        return uuid.to_hex_str("-").lower()
    return f"{uuid.to_hex_str():0>8}-0000-1000-8000-00805f9b34fb".lower()
