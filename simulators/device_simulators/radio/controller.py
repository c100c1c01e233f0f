"""A device's controller on the virtual radio: Bumble's, a fault of 0.0.236 put right."""

import asyncio

from bumble import hci
from bumble.controller import Controller


class AirController(Controller):
    """Ends an attempt to connect when its host says so.

    Bumble's controller answers that it did and goes on connecting: the next attempt is refused with COMMAND_DISALLOWED
    for as long as the first device is not heard.
    """

    def on_hci_le_create_connection_cancel_command(
        self,
        _command: hci.HCI_LE_Create_Connection_Cancel_Command,
    ) -> hci.HCI_StatusReturnParameters:
        """Bluetooth Core, volume 4, part E, 7.8.13: the cancelled attempt ends with Unknown Connection Identifier."""
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        ended = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, ended)  # after the answer to the command
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)
