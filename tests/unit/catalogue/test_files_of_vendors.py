"""Files from outside: what they are is read from their bytes, and nothing of them is believed."""

import io
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app_catalog import Unacceptable
from app_catalog.documents.logo import MAX_BYTES, SHOWN_SIDE, logo_from
from app_catalog.documents.media_type import DOCUMENT_TYPES, media_type_of
from app_catalog.documents.upload import MAX_NAME, shown_name

PDF = b"%PDF-1.7\n%%EOF\n"


def picture(kind: str, size: tuple[int, int] = (200, 120), mode: str = "RGB") -> bytes:
    written = io.BytesIO()
    Image.new(mode, size).save(written, kind)
    return written.getvalue()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (PDF[:8], None),
        (picture("PNG"), "image/png"),
        (picture("PNG")[:-1], None),
        (picture("JPEG"), "image/jpeg"),
        (picture("JPEG")[:40], None),
        ("Évaluation\r\n".encode(), "text/plain"),
        (b"<html><script>", "text/plain"),
        (picture("GIF"), None),
        (b"MZ\x90\x00", None),
        (b"\xff\xfea\x00", None),
        (b" \n", None),
        (b"", None),
    ],
)
def test_a_document_is_what_its_bytes_say(content: bytes, media_type: str | None) -> None:
    assert media_type_of(content) == media_type


@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda rest: PDF[:5] + rest))
def test_any_bytes_have_one_known_type_or_none(content: bytes) -> None:
    found = media_type_of(content)
    assert found is None or found in DOCUMENT_TYPES
    if found == "text/plain":
        assert "\0" not in content.decode("utf-8")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_logo_is_written_anew_as_a_small_png(kind: str) -> None:
    with Image.open(io.BytesIO(logo_from(picture(kind, (1000, 400)) + b"<script>"))) as logo:
        assert (logo.format, max(logo.size)) == ("PNG", SHOWN_SIDE)
        assert logo.info == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * (MAX_BYTES + 1),
        picture("TIFF"),
        picture("BMP"),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        picture("PNG", (63, 100)),
        picture("PNG", (5000, 64), "1"),
        picture("PNG")[:50],
        picture("GIF")[:6] + b"\xff\xff\xff\xff" + picture("GIF")[10:],
        picture("GIF")[:6] + b"\x00\x27\x00\x27" + picture("GIF")[10:],
    ],
    ids=["empty", "too long", "TIFF", "BMP", "SVG", "too small", "too wide", "cut off", "a bomb", "a smaller bomb"],
)
def test_what_is_no_logo_is_refused(content: bytes) -> None:
    with pytest.raises(Unacceptable):
        logo_from(content)


@settings(max_examples=40)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]), st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_damaged_picture_is_refused_or_decoded_and_never_an_error_of_ours(kind: str, at: int, damage: bytes) -> None:
    content = picture(kind, (70, 70))
    at = min(at, len(content) - 1)
    with suppress(Unacceptable):
        assert logo_from(content[:at] + damage + content[at + len(damage) :]).startswith(b"\x89PNG")


@given(st.text(max_size=300))
def test_a_file_name_has_no_folder_and_can_be_shown(name: str) -> None:
    shown = shown_name(name)
    assert shown
    assert len(shown) <= MAX_NAME
    assert shown.isprintable()
    assert not set("/\\") & set(shown)
