"""QR codes on pages."""

import segno
from markupsafe import Markup


def qr_code(text: str) -> Markup:
    """An inline picture without colours of its own, always dark on light."""
    return Markup(  # noqa: S704  # nosec B704  # segno writes numbers only
        segno.make(text, error="m", micro=False).svg_inline(
            scale=1, border=4, omitsize=True, svgclass=None, lineclass=None
        )
    )
