"""A device that measures when somebody uses it: what it measured waits until it is fetched, and is then forgotten."""

import asyncio
import random
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from bumble.device import Connection
from bumble.gatt import Characteristic
from bumble.transport.common import Transport

from device_simulators.ble.device_options import DeviceOptions, Users
from device_simulators.ble.measurement_memory import UNKNOWN_USER, MeasurementMemory, Taken
from device_simulators.ble.simulated_device import SimulatedDevice
from device_simulators.patients.replay import Row, read_replay
from device_simulators.patients.virtual_patient import patients
from device_simulators.patients.vitals import Vitals

CONSENT_CODE = 1000  # of user 1; the next user's is one more
_UNKNOWN_SHARE = 0.1  # of the measurements of a device that tells people apart: it did not recognise this one

Packets = Sequence[tuple[Characteristic[bytes], bytes]]

_SETTLE_S = 0.2  # after a peer subscribed: it may want a second characteristic as well


@dataclass(frozen=True, kw_only=True)
class MeasuringOptions(DeviceOptions):
    """How a device behaves that measures on demand; `records` measurements wait when it is new."""

    users: Users = 0


class MeasuringDevice(SimulatedDevice):
    """Indicates what waits as soon as the peer may have it, oldest first, and forgets each once it is confirmed."""

    usual_hours: ClassVar[tuple[int, ...]]  # of the day at which people use it

    def __init__(self, options: MeasuringOptions) -> None:
        super().__init__(options)
        self.users = options.users
        self._chance = random.Random(f"{self.kind} {options.seed}")
        rows = read_replay(options.replay) if options.replay else None
        self._rows = None if rows is None else rows[: None if not options.interval_s else options.records]
        self._coming: list[Row] = [] if rows is None or not options.interval_s else rows[options.records :]
        self._replays = rows is not None
        self._wake = asyncio.Event()
        self.memory: MeasurementMemory = MeasurementMemory(
            history=self._history,
            consent_codes={user: CONSENT_CODE + user - 1 for user in range(1, options.users + 1)},
            skew_s=options.clock_skew_s,
            file=options.state,
        )

    @abstractmethod
    def values_of(self, vitals: Vitals, at: datetime) -> dict[str, Decimal]:
        """What the device finds on this person now."""

    @abstractmethod
    def values_in(self, row: Row) -> dict[str, Decimal]:
        """What a row of a file says. Raises ValueError for one that is of something else."""

    @abstractmethod
    def packets(self, taken: Taken, mtu: int) -> Packets:
        """How it goes on the air, first to last, to a peer with this ATT MTU."""

    @abstractmethod
    def main(self) -> Characteristic[bytes]:
        """The characteristic without whose subscription nothing is sent."""

    def may_fetch(self, connection: Connection, taken: Taken) -> bool:  # noqa: ARG002  for devices that ask for consent
        """Whether this peer may have this measurement."""
        return True

    async def while_measuring(self, connection: Connection, taken: Taken) -> None:
        """What a peer that is connected sees before the measurement is there."""

    def wake(self) -> None:
        """Something changed: look again at who may fetch what."""
        self._wake.set()

    async def measure(self) -> None:
        """Somebody uses the device now."""
        if self._replays:
            if not self._coming:
                return
            taken = self._of_row(self._coming.pop(0))
        else:
            taken = self._of_person(
                self.memory.clock().replace(microsecond=0), sorted(self.memory.consent_codes) or [1]
            )
        for connection in self.attended:
            if self.indicates(connection, self.main()):
                await self.while_measuring(connection, taken)
        self.memory.add(taken)
        self.wake()

    async def start(self, transport: Transport) -> None:
        await super().start(transport)
        self.main().on(Characteristic.EVENT_SUBSCRIPTION, lambda *_subscription: self.wake())

    async def attend(self, connection: Connection) -> None:
        while True:
            self._wake.clear()
            if self.indicates(connection, self.main()):
                await self._send_what_waits(connection)
            await self._wake.wait()
            await asyncio.sleep(_SETTLE_S)

    async def _send_what_waits(self, connection: Connection) -> None:
        may = [taken for taken in self.memory.waiting if self.may_fetch(connection, taken)]
        for taken in self.misbehaviour.order(may):
            for characteristic, value in self.packets(taken, connection.att_mtu):
                if self.indicates(connection, characteristic):
                    await self.indicate(connection, characteristic, value)
            self.memory.fetched(taken)

    def _history(self, now: datetime) -> list[Taken]:
        if self._rows is not None:
            return [self._of_row(row) for row in self._rows]
        moments: list[datetime] = []
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        while len(moments) < self._options.records:
            for hour in reversed(self.usual_hours):
                at = day + timedelta(hours=hour, seconds=self._chance.randint(-1800, 1800))
                if at < now and len(moments) < self._options.records:
                    moments.append(at)
            day -= timedelta(days=1)
        return [self._of_person(at, range(1, max(self.users, 1) + 1)) for at in sorted(moments)]

    def person(self, user: int) -> Vitals:
        """The patient of the options is user 1, the next one of the list user 2, …; later registered ones go on."""
        everyone = list(patients())
        name = everyone[(everyone.index(self._options.person.name) + user - 1) % len(everyone)]
        return Vitals(patients()[name], self._options.seed)

    def _of_person(self, at: datetime, users: Sequence[int]) -> Taken:
        user = self._chance.choice(users)
        recognised = self._chance.random() >= _UNKNOWN_SHARE
        index = (user if recognised else UNKNOWN_USER) if self.users else None
        return Taken(at, self.values_of(self.person(user), at), index)

    def _of_row(self, row: Row) -> Taken:
        return Taken(row.at, self.values_in(row), 1 if self.users else None)
