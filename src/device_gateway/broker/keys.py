"""Passwords and the signing key of one embedded broker: made at its first start, in a file that only its user reads."""

import os
from pathlib import Path
from secrets import token_bytes, token_urlsafe

import msgspec
import nkeys

from device_gateway.errors import BadSetting


class BrokerSecrets(msgspec.Struct, frozen=True):
    """Passwords of the three users that are no devices, and the account key (nkey) that signs who a device is."""

    ingest: str
    callout: str
    system: str
    issuer_seed: str
    issuer: str


def load_secrets(path: Path) -> BrokerSecrets:
    """Raises BadSetting when there is no such file, or another one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=BrokerSecrets)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadSetting(f"The broker's secrets cannot be read from {path}: {error}") from error


def make_secrets(path: Path) -> BrokerSecrets:
    """Those of `path`, made there when the file does not exist yet."""
    if path.exists():
        return load_secrets(path)
    seed = bytes(nkeys.encode_seed(token_bytes(32), nkeys.PREFIX_BYTE_ACCOUNT))  # type: ignore[no-untyped-call]
    made = BrokerSecrets(
        ingest=token_urlsafe(24),
        callout=token_urlsafe(24),
        system=token_urlsafe(24),
        issuer_seed=seed.decode(),
        issuer=nkeys.from_seed(bytearray(seed)).public_key.decode(),  # type: ignore[no-untyped-call]
    )
    write_private(path, msgspec.json.encode(made))
    return made


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600, whole or not at all."""
    unfinished = path.with_suffix(path.suffix + ".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
