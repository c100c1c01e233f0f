"""The installation's key for the catalogue's secrets: 32 random bytes, in base64, in a file of the operator's."""

import os
import secrets
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from contextlib import suppress
from pathlib import Path
from typing import Final

from device_gateway.errors import BadSetting
from device_gateway.settings import Settings

KEY_BYTES: Final = 32  # AES-256


def catalogue_key(settings: Settings) -> bytes | None:
    """The key, made in its file at the first need; None where no file is set. Raises BadSetting for a file that holds
    another thing or cannot be read."""
    path = settings.catalogue_key
    if path is None:
        return None
    if not path.exists():
        _make(path)
    try:
        key = b64decode(path.read_text("ascii").strip(), validate=True)
    except (OSError, UnicodeDecodeError, NoBase64) as error:
        raise BadSetting(f"DEVICE_GATEWAY_CATALOGUE_KEY: {path} cannot be read: {type(error).__name__}") from error
    if len(key) != KEY_BYTES:
        raise BadSetting(f"DEVICE_GATEWAY_CATALOGUE_KEY: {path} holds no key of {KEY_BYTES} bytes in base64")
    return key


def _make(path: Path) -> None:
    """Whole or not at all, and by one of several processes that start together."""
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(b64encode(secrets.token_bytes(KEY_BYTES)))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(unfinished, path)
    except OSError as error:
        raise BadSetting(f"DEVICE_GATEWAY_CATALOGUE_KEY: {path} cannot be made: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
