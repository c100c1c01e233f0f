"""What a file is, as its own bytes say. Its name and what the browser calls it are believed by nobody."""

PDF, PNG, JPEG, TEXT = "application/pdf", "image/png", "image/jpeg", "text/plain"
DOCUMENT_TYPES = (PDF, PNG, JPEG, TEXT)
PDF_TRAILER_WITHIN = 1024  # bytes from the end: where readers look for it (ISO 32000-1, annex H.3.17)

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f") | {127}


def media_type_of(content: bytes) -> str | None:
    """One of DOCUMENT_TYPES; None for everything else, and for a file that is cut off."""
    if content.startswith(b"%PDF-"):
        return PDF if b"%%EOF" in content[-PDF_TRAILER_WITHIN:] else None
    if content.startswith(_PNG_SIGNATURE):
        return PNG if content[12:16] == b"IHDR" and content.endswith(b"IEND\xaeB`\x82") else None
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG if b"\xff\xd9" in content[-PDF_TRAILER_WITHIN:] else None
    return TEXT if _is_text(content) else None


def _is_text(content: bytes) -> bool:
    """UTF-8 without control characters. Markup is text as well: it is only ever handed out as plain text to keep."""
    if not content or not _CONTROLS.isdisjoint(content):
        return False
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return bool(text.strip())
