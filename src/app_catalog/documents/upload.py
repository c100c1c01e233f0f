"""Reading a form with a file: ``multipart/form-data``, bounded while it arrives."""

import hmac
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from app_catalog.errors import BadForm, Fault, StaleForm, Unacceptable
from app_catalog.form import MAX_BYTES as FORM_BYTES
from app_catalog.form import Fields
from app_catalog.wiring import Person
from app_catalog.words import marked

MAX_NAME = 120  # characters of a file's name that are kept
MOST_FIELDS = 10
TOO_LARGE = Fault("/file", marked("This file is too large."))


@dataclass(frozen=True)
class Upload:
    """A file as it was sent. `name` has no folder and nothing that cannot be shown."""

    name: str
    content: bytes


async def uploaded(request: Request, person: Person, limit: int) -> tuple[Fields, Upload | None]:
    """The fields and the file named ``file`` of a form that `person` sent from a page of ours; no file where none was
    chosen. Raises BadForm, StaleForm, or Unacceptable for a file of more than `limit` bytes."""
    try:
        form = await MultiPartParser(
            request.headers, _bounded(request, limit + FORM_BYTES), max_files=1, max_fields=MOST_FIELDS
        ).parse()
    except (MultiPartException, KeyError, ValueError):
        raise BadForm from None
    try:
        fields = Fields(tuple((name, value) for name, value in form.multi_items() if isinstance(value, str)))
        if not hmac.compare_digest(fields.text("csrf_token").encode(), person.csrf_token.encode()):
            raise StaleForm
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            return fields, None
        content = await file.read(limit + 1)
        if len(content) > limit:
            raise Unacceptable(TOO_LARGE)
        return fields, Upload(shown_name(file.filename), content)
    finally:
        await form.close()


def shown_name(name: str) -> str:
    """The last part of `name`, of characters that can be shown; never empty."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character for character in last if character.isprintable())[:MAX_NAME].strip() or "document"


async def _bounded(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise Unacceptable(TOO_LARGE)
        yield chunk
