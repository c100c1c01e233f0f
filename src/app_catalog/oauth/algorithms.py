"""How id tokens may be signed: SMART 2.2 @210 wants RS256 to be there, FAPI 2.0 forbids it and takes ES256."""

from typing import Final, Literal

Algorithm = Literal["RS256", "ES256"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("RS256", "ES256")
