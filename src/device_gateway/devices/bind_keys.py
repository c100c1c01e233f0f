"""Bind keys: with what a device encrypts its broadcasts. The edge keeps them, nobody else."""

from typing import Final

KEY_OCTETS: Final = 16


class BadBindKey(ValueError):
    """A bind key has 32 hexadecimal digits."""


def parse_bind_key(text: str) -> bytes:
    """The key in 32 hexadecimal digits, space and colons between them as people copy them. Raises BadBindKey."""
    try:
        key = bytes.fromhex("".join(character for character in text if character not in " :-\t"))
    except ValueError:
        raise BadBindKey from None
    if len(key) != KEY_OCTETS:
        raise BadBindKey
    return key
