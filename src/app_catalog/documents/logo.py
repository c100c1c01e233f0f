"""A logo: decoded within bounds and written anew, so that nothing but pixels of the upload is ever served."""

import io
from typing import Final

from PIL import Image

from app_catalog.errors import Fault, Unacceptable

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")  # the decoders that an upload may reach
MAX_BYTES: Final = 1 << 20
LEAST_SIDE: Final = 64  # pixels: below, it is a smudge on a phone of today
MOST_SIDE: Final = 4096  # pixels: 64 MiB of memory while it is decoded, once per upload
SHOWN_SIDE: Final = 512  # pixels: what is kept, enough for the largest place that shows it
MEDIA_TYPE: Final = "image/png"
# What Pillow raises for what is no picture, or one that claims to be huge (the warning, where warnings are errors).
REFUSED: Final = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def logo_from(content: bytes) -> bytes:
    """The picture as PNG, its longer side SHOWN_SIDE at most. Raises Unacceptable. Takes tenths of a second of a
    processor at the bounds: for a thread."""
    if not content or len(content) > MAX_BYTES:
        raise Unacceptable(Fault("/logo", "A logo has at most 1 MB."))
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            fits = min(picture.size) >= LEAST_SIDE and max(picture.size) <= MOST_SIDE
            pixels = picture.convert("RGBA") if fits else None
    except REFUSED:
        raise Unacceptable(Fault("/logo", "A logo is a picture: PNG, JPEG, WebP or GIF.")) from None
    if pixels is None:
        raise Unacceptable(Fault("/logo", "A logo has between 64 and 4096 pixels on each side."))
    pixels.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    written = io.BytesIO()
    pixels.save(written, "PNG")
    return written.getvalue()
