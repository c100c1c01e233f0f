"""An MQTT 3.1.1 device without a client library: it publishes as fast as the broker acknowledges, and does not give up.

What was not acknowledged when a connection ends is sent again on the next one, with DUP, as the protocol has it.
"""

import asyncio
from contextlib import suppress
from uuid import UUID

import msgspec

from device_gateway.devices.topics import topic_of

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE = 0x10, 0x20, 0x30, 0x40, 0x82
QOS_1, DUP = 0x02, 0x08
USERNAME_AND_PASSWORD = 0xC0  # of a session that the broker keeps
KEEPALIVE_S = 60
AGAIN_S = 0.2  # pause before the next try to connect
ANSWER_S = 10  # of the broker, to a connection


class RawDevice:
    """`acknowledged` counts PUBACKs, `connections` those that were granted, `answers` has every outcome that was ever
    told of a message, by its id.

    window  messages on their way at once
    """

    def __init__(self, port: int, device: UUID, password: str, window: int = 10) -> None:
        self.device = device
        self.acknowledged = 0
        self.connections = 0
        self.answers: dict[str, list[str]] = {}
        self._port = port
        self._password = password
        self._window = asyncio.Semaphore(window)
        self._unacknowledged: dict[int, bytes] = {}
        self._numbers = 0
        self._writer: asyncio.StreamWriter | None = None
        self._session = asyncio.Event()
        self._settled = asyncio.Event()  # nothing is unacknowledged
        self._settled.set()

    async def run(self) -> None:
        """Keep connected until cancelled."""
        while True:
            with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                await self._connection()
            await asyncio.sleep(AGAIN_S)

    async def publish(self, payload: bytes, topic: str | None = None) -> None:
        """Returns once it is on its way; waits for room."""
        await self._window.acquire()
        self._numbers = self._numbers % 0xFFFF + 1
        number = self._numbers
        body = _text((topic or topic_of(self.device, "readings")).encode()) + number.to_bytes(2, "big") + payload
        self._unacknowledged[number] = body
        self._settled.clear()
        if self._writer and self._session.is_set():
            self._writer.write(packet(PUBLISH | QOS_1, body))
            with suppress(OSError):
                await self._writer.drain()

    async def all_acknowledged(self) -> None:
        await self._settled.wait()

    async def _connection(self) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            name = str(self.device).encode()
            head = _text(b"MQTT") + bytes([4, USERNAME_AND_PASSWORD]) + KEEPALIVE_S.to_bytes(2, "big")
            self._writer.write(packet(CONNECT, head + _text(name) + _text(name) + _text(self._password.encode())))
            kind, answer = await asyncio.wait_for(_read(reader), ANSWER_S)
            if kind != CONNACK or answer[1]:
                return  # refused: nobody is there who could know this device
            outcome = _text(topic_of(self.device, "outcome").encode())
            self._writer.write(packet(SUBSCRIBE, b"\xff\xff" + outcome + b"\1"))
            for body in list(self._unacknowledged.values()):
                self._writer.write(packet(PUBLISH | QOS_1 | DUP, body))
            self._session.set()
            self.connections += 1
            while True:
                self._take(*await _read(reader))
        finally:
            self._session.clear()
            self._writer.close()

    def _take(self, kind: int, body: bytes) -> None:
        if kind == PUBACK:
            if self._unacknowledged.pop(int.from_bytes(body[:2], "big"), None) is not None:
                self.acknowledged += 1
                self._window.release()
            if not self._unacknowledged:
                self._settled.set()
        elif kind & 0xF0 == PUBLISH:
            start = 2 + int.from_bytes(body[:2], "big")
            if kind & QOS_1:
                assert self._writer
                self._writer.write(packet(PUBACK, body[start : start + 2]))
                start += 2
            answer = msgspec.json.decode(body[start:])
            told = self.answers.setdefault(answer["message_id"], [])
            told.append(answer["outcomes"][0]["outcome"])


def packet(kind: int, body: bytes) -> bytes:
    length, left = bytearray(), len(body)
    while True:
        left, digit = divmod(left, 128)
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([kind]) + bytes(length) + body


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    [kind] = await reader.readexactly(1)
    length = shift = 0
    while True:
        [digit] = await reader.readexactly(1)
        length |= (digit & 0x7F) << shift
        shift += 7
        if not digit & 0x80:
            return kind, await reader.readexactly(length)


def _text(octets: bytes) -> bytes:
    return len(octets).to_bytes(2, "big") + octets
