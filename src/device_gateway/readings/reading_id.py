"""The id of a reading outside: typed, reversible, the same for ever.

``r.`` and 52 characters of lower-case base32 (RFC 4648 alphabet, no padding) of 32 bytes, big-endian: UUID of the
series, microseconds since 1970-01-01T00:00:00Z (signed 64 bit), sequence (signed 64 bit). The key by which the store
knows a series is never in it. FHIR allows ids of 64 characters.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from device_gateway.errors import NotFound

READING: Final = "r."
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
INT8_MIN, INT8_MAX = -(2**63), 2**63 - 1

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_DIGIT_OF: Final = {character: digit for digit, character in enumerate(_ALPHABET)}
_PAIRS: Final = [high + low for high in _ALPHABET for low in _ALPHABET]  # 10 bits at once: ids are made by the thousand
_LENGTH: Final = 52
_SPARE_BITS: Final = 4  # 52 characters carry 260 bits, an identity has 256; the spare ones are zero
_WORD: Final = 2**64


class ReadingId(NamedTuple):
    """Identity of a reading: series, microseconds since the Unix epoch, sequence."""

    series: UUID
    at_us: int
    seq: int

    def __str__(self) -> str:
        return reading_id(self.series.int << 128, self.at_us, self.seq)


def microseconds(at: datetime) -> int:
    """Aware time ▸ microseconds since 1970-01-01T00:00:00Z, exact."""
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def reading_id(series_bits: int, at_us: int, seq: int) -> str:
    """The id; `series_bits` is ``uuid.int << 128``, which a caller with many ids of one series keeps."""
    number = (series_bits | (at_us % _WORD) << 64 | seq % _WORD) << _SPARE_BITS
    return READING + "".join([_PAIRS[number >> shift & 1023] for shift in range(250, -1, -10)])


def parse_reading_id(text: str) -> ReadingId:
    """The identity in `text`. Raises NotFound for anything that `reading_id` would not have written."""
    if len(text) != len(READING) + _LENGTH or not text.startswith(READING):
        raise NotFound
    number = 0
    for character in text[len(READING) :]:
        digit = _DIGIT_OF.get(character)
        if digit is None:
            raise NotFound
        number = number << 5 | digit
    if number & (1 << _SPARE_BITS) - 1:
        raise NotFound
    number >>= _SPARE_BITS
    return ReadingId(UUID(int=number >> 128), _signed(number >> 64 & _WORD - 1), _signed(number & _WORD - 1))


def _signed(word: int) -> int:
    return word - _WORD if word > INT8_MAX else word
