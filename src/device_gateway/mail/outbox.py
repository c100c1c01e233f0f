"""The outbox: a row per mail, its text sealed until it was sent and erased then, for it can hold a link."""

import secrets
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from psycopg import AsyncConnection

from device_gateway.database.pool import Row
from device_gateway.errors import BadSetting

ANOTHER_KEY: Final = "DEVICE_GATEWAY_CATALOGUE_KEY: this mail was sealed with another key."
NONCE_BYTES: Final = 12  # NIST SP 800-38D §8.2; random
ADD: Final = "INSERT INTO gateway.outgoing_mail (id, recipient, subject, body, sealed) VALUES (%s, %s, %s, %s, %s)"


@dataclass(frozen=True)
class Outbox:
    """What the catalogue is handed to write to people. `key` is the installation's; without one texts lie open."""

    key: bytes | None

    async def send(self, connection: AsyncConnection[Row], to: str, subject: str, text: str) -> None:
        """A mail, if the transaction of `connection` commits. `to` is one plain address."""
        number, body = uuid4(), text.encode()
        sealed = body if self.key is None else _seal(body, self.key, str(number))
        await connection.execute(ADD, (number, to, subject, sealed, self.key is not None))


def text_of(mail: Row, key: bytes | None) -> str:
    """The text of a row that still has one. Raises BadSetting without the key that it was sealed with."""
    if not mail.sealed:
        return bytes(mail.body).decode()
    if key is None:
        raise BadSetting(ANOTHER_KEY)
    try:
        return _unseal(bytes(mail.body), key, str(mail.id)).decode()
    except InvalidTag:
        raise BadSetting(ANOTHER_KEY) from None


def _seal(text: bytes, key: bytes, binding: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _cipher(key).encrypt(nonce, text, binding.encode())


def _unseal(sealed: bytes, key: bytes, binding: str) -> bytes:
    return _cipher(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], binding.encode())


def _cipher(key: bytes) -> AESGCM:
    """A key of its own for mail (RFC 5869): what else the installation's key seals is opened by another."""
    return AESGCM(HKDFExpand(SHA256(), 32, b"device-gateway mail").derive(key))
