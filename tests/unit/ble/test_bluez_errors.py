"""What BlueZ's errors mean to whoever wants a device's readings."""

import pytest
from bleak.exc import BleakDBusError, BleakError

from device_gateway.transports.ble.bluez.errors import bond_doubtful, busy, link_gone, service_gone
from device_gateway.transports.ble.errors import (
    BluetoothError,
    BondLost,
    BondRefused,
    DeviceNotHeard,
    LinkLost,
    NoAnswer,
    RadioBusy,
    RadioUnavailable,
)
from device_gateway.transports.ble.link import connect_error


def of_bluez(name: str, text: str = "") -> BleakDBusError:
    return BleakDBusError(f"org.bluez.Error.{name}", [text])


def of_bus(name: str) -> BleakDBusError:
    return BleakDBusError(f"org.freedesktop.DBus.Error.{name}", [])


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (of_bluez("AuthenticationFailed", "Authentication Failed"), BondRefused),
        (of_bluez("AuthenticationCanceled", "Authentication Canceled"), BondRefused),
        (of_bluez("AuthenticationRejected"), BondRefused),
        (of_bluez("AuthenticationTimeout"), BondRefused),
        (of_bluez("ConnectionAttemptFailed", "Page Timeout"), NoAnswer),
        (of_bluez("Failed", "br-connection-canceled"), LinkLost),
        (of_bluez("InProgress", "In Progress"), RadioBusy),
        (of_bluez("NotReady", "Resource Not Ready"), RadioUnavailable),
        (of_bluez("DoesNotExist"), DeviceNotHeard),
        (of_bus("UnknownObject"), DeviceNotHeard),
        (of_bus("ServiceUnknown"), RadioUnavailable),
        (of_bus("NoReply"), RadioUnavailable),
        (of_bus("AccessDenied"), RadioUnavailable),
        (BleakError("device 'dev_C0_00_00_00_00_01' not found"), DeviceNotHeard),
        (BleakError("pair: SMP_PIN_OR_KEY_MISSING"), BondLost),
    ],
)
def test_an_error_of_a_connection_says_what_to_do(error: BleakError, meaning: type[BluetoothError]) -> None:
    assert type(connect_error(error)) is meaning


@pytest.mark.parametrize(
    ("error", "doubtful"),
    [
        (of_bluez("Failed", "br-connection-canceled"), True),
        (of_bluez("AuthenticationFailed"), True),
        (BleakError("failed to discover services, device disconnected"), True),
        (of_bluez("Failed", "le-connection-abort-by-local"), False),
        (of_bluez("AuthenticationCanceled"), False),
        (of_bus("ServiceUnknown"), False),
        (TimeoutError(), False),
    ],
)
def test_a_bond_is_in_doubt_only_where_the_link_ended_while_it_was_encrypted(
    error: Exception, *, doubtful: bool
) -> None:
    assert bond_doubtful(error) is doubtful


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (of_bluez("NotConnected"), True),
        (of_bluez("Failed", "Not connected"), True),
        (of_bus("UnknownObject"), True),
        (of_bus("ServiceUnknown"), True),
        (of_bluez("Failed", "Operation failed with ATT error: 0x80"), False),
        (of_bluez("NotPermitted", "Not paired"), False),
        (BleakError("anything"), False),
    ],
)
def test_a_refused_operation_is_told_from_a_lost_link(error: Exception, *, gone: bool) -> None:
    assert link_gone(error) is gone


def test_a_daemon_that_is_gone_and_one_that_is_busy_are_two_things() -> None:
    assert (service_gone(of_bus("NoReply")), busy(of_bus("NoReply"))) == (True, False)
    assert (service_gone(of_bluez("InProgress")), busy(of_bluez("InProgress"))) == (False, True)
