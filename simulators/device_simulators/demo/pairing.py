"""Pairing the demo's devices as their patients would: a claim code each, redeemed over HTTP, a bond over the radio."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row

from device_gateway.devices.claim_client import claim_device
from device_gateway.devices.claim_codes import make_claim_code
from device_gateway.transports.edge.certificate import Request, configure_claimed
from device_gateway.transports.edge.pair import pair_meter
from device_gateway.transports.edge.state import add_meter
from device_simulators.demo.people import DemoPerson, as_account, since_long

FREE_CODE_MINUTES = 7 * 24 * 60  # a tester's codes live a week; a patient's, a quarter of an hour


async def claim_code(database_url: str, person: DemoPerson, name: str, since: datetime, minutes: int) -> str:
    """A code as the portal makes it."""
    connection: AsyncConnection[Any] = await AsyncConnection.connect(
        database_url, autocommit=True, row_factory=namedtuple_row
    )
    async with connection:
        await connection.execute("SET ROLE gateway_app")
        account = as_account(person)
        return await make_claim_code(connection, UUID(person.space_id), account, name, since, minutes)


class Pairing:
    """Pairs devices of `person`."""

    def __init__(self, base_url: str, database_url: str, person: DemoPerson) -> None:
        self._base_url = base_url
        self._database_url = database_url
        self._person = person

    async def stand_alone(self, model: str, name: str) -> dict[str, Any]:
        """A device, hub or edge with credentials of its own, as demo.json says it."""
        return self._shown(model, await self._claim(model, name))

    async def _claim(self, model: str, name: str) -> dict[str, Any]:
        return await asyncio.to_thread(claim_device, self._base_url, await self._code(name), model)

    def _shown(self, model: str, answer: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": answer["device_id"],
            "model": model,
            "space_id": self._person.space_id,
            "mqtt_username": answer["mqtt"]["username"],
            "mqtt_password": answer["mqtt"]["password"],
            "topic": answer["topics"].get("base") or answer["topics"]["readings"],
        }

    async def carried(self, model: str, name: str, hardware_id: str, carrier: dict[str, Any]) -> dict[str, Any]:
        """A device that sends through `carrier`."""
        credentials = carrier["mqtt_username"], carrier["mqtt_password"]
        code = await self._code(name)
        answer = await asyncio.to_thread(
            claim_device, self._base_url, code, model, hardware_id=hardware_id, carrier=credentials
        )
        return {
            "id": answer["device_id"],
            "model": model,
            "space_id": self._person.space_id,
            "hardware_id": hardware_id,
        }

    async def edge(self, data_dir: Path) -> dict[str, Any]:
        """The home hub, configured in `data_dir`."""
        request, code = Request(), await self._code("Home hub")
        answer = await asyncio.to_thread(claim_device, self._base_url, code, "edge", csr=request.pem)
        configure_claimed(data_dir, self._base_url, answer, request)
        return self._shown("edge", answer) | {"in_use": True}

    async def beside_edge(  # noqa: PLR0917  # the order in which one says it
        self, data_dir: Path, radio: str, edge: dict[str, Any], name: str, address: str, passkey: int | None = None
    ) -> dict[str, Any]:
        """A Bluetooth device that the edge reads: found on the radio, bonded with, claimed."""
        paired = await pair_meter(data_dir, radio, address=address, passkey=passkey)
        device = await self.carried(paired.adapter, name, paired.address, edge)
        add_meter(data_dir, device_id=device["id"], address=paired.address, adapter=paired.adapter, passkey=passkey)
        del device["hardware_id"]
        shown = {} if passkey is None else {"passkey": f"{passkey:06d}"}
        return device | {"ble_address": paired.address} | shown

    async def _code(self, name: str) -> str:
        return await claim_code(self._database_url, self._person, name, since_long(), 5)
