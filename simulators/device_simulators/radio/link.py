"""The link layer that all devices of a virtual radio share: Bumble's `LocalLink`, its faults of 0.0.236 put right."""

import asyncio

from bumble import core, hci, ll
from bumble.controller import Controller
from bumble.link import LocalLink


class AirLink(LocalLink):
    """One piece of air. Differs from `LocalLink` in three ways, each said where it is done."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Bumble annotates no return there

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        """Data goes out under the address that the connection was made with.

        LocalLink stamps it with the sender's random address, so a host that connects with its public address (BlueZ)
        is never heard and its pairing dies after 30 s.
        """
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is not None and receiver is not None:
            asyncio.get_running_loop().call_soon(receiver.on_link_acl_data, connection.self_address, transport, data)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Advertisements reach only those who listen; to all of them it would be N x N calls an interval.

        A connection request is an advertising PDU too and reaches everyone: filtered, links would open on one side.
        """
        loop = asyncio.get_running_loop()
        is_advertisement = isinstance(packet, ll.AdvInd | ll.AdvExtInd)
        for controller in self.controllers:
            if controller is sender_controller:
                continue
            if not is_advertisement or controller.le_scan_enable or controller.pending_le_connection:
                loop.call_soon(controller.on_ll_advertising_pdu, packet)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """To a device that has just gone, nothing is sent; LocalLink raises, which would end the sender too."""
        if self.find_le_controller(receiver_address) is not None:
            super().send_ll_control_pdu(sender_address, receiver_address, packet)
