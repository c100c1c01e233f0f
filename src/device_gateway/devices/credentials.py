"""MQTT passwords of devices: made by us, random, 256 bits; kept as a hash in the format of Mosquitto's password files.

One hash serves both brokers: the embedded one asks `check_password`, Mosquitto reads the same text from its file.
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac

PASSWORD_BYTES = 32
SALT_BYTES = 12  # as mosquitto_passwd makes it
HASH_BYTES = 64  # SHA-512
# Stretching protects passwords that people choose. These are 256 random bits, beyond any search, so the count is
# Mosquitto's own default: about 0.1 ms, less than looking the device up, when thousands reconnect at once.
ITERATIONS = 101


def new_password() -> str:
    """A password of 43 characters, letters, digits, ``-`` and ``_``: 256 random bits."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def hash_password(password: str) -> str:
    """``$7$iterations$salt$hash``: PBKDF2-HMAC-SHA512, salt and hash in base64 (Mosquitto, password_mosq.c)."""
    salt = secrets.token_bytes(SALT_BYTES)
    derived = pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS, HASH_BYTES)
    return f"$7${ITERATIONS}${b64encode(salt).decode()}${b64encode(derived).decode()}"


def check_password(password: str, stored: str) -> bool:
    """Whether `password` is the one that `stored` was made from. Raises ValueError when `stored` is no such hash."""
    parts = stored.split("$")
    if len(parts) != 5 or parts[:2] != ["", "7"]:
        raise ValueError("not a $7$ hash")
    iterations, salt, expected = parts[2:]
    derived = pbkdf2_hmac("sha512", password.encode(), b64decode(salt), int(iterations), HASH_BYTES)
    return hmac.compare_digest(derived, b64decode(expected))
