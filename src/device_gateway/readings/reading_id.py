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
_PAIRS: Final = [high + low for high in _ALPHABET for low in _ALPHABET]  # 10 bits at once
_LENGTH: Final = 52
_SPARE_BITS: Final = 4  # 52 characters carry 260 bits, an identity has 256; the spare ones are zero
_WORD: Final = 2**64


class ReadingId(NamedTuple):
    """Identity of a reading: series, microseconds since the Unix epoch, sequence."""

    series: UUID
    at_us: int
    seq: int

    def __str__(self) -> str:
        return SeriesIds(self.series).id_of(self.at_us, self.seq)


class SeriesIds:
    """Writes the ids of one series, a thousand of them for a page.

    Of the 52 characters 25 tell the series; 7 (with the last bits of the UUID) change every 71 minutes; 6 tell the
    time within; 14 tell the sequence, most often 0. All but the 6 are remembered.
    """

    __slots__ = ("_heads", "_low_bits", "_prefix", "_tails")

    def __init__(self, series: UUID) -> None:
        self._prefix = READING + _base32(series.int >> 3, 25)
        self._low_bits = series.int & 7
        self._heads: dict[int, str] = {}
        self._tails: dict[tuple[int, int], str] = {}

    def id_of(self, at_us: int, seq: int) -> str:
        word = at_us % _WORD
        high, low = word >> 32, (word & 3, seq)
        head = self._heads.get(high)
        if head is None:
            head = self._heads[high] = self._prefix + _base32(self._low_bits << 32 | high, 7)
        tail = self._tails.get(low)
        if tail is None:
            tail = self._tails[low] = _base32((low[0] << 64 | seq % _WORD) << _SPARE_BITS, 14)
        middle = word >> 2 & 0x3FFF_FFFF
        return f"{head}{_PAIRS[middle >> 20]}{_PAIRS[middle >> 10 & 1023]}{_PAIRS[middle & 1023]}{tail}"


def microseconds(at: datetime) -> int:
    """Aware time ▸ microseconds since 1970-01-01T00:00:00Z, exact."""
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


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


def _base32(number: int, characters: int) -> str:
    return "".join([_ALPHABET[number >> 5 * place & 31] for place in range(characters - 1, -1, -1)])
