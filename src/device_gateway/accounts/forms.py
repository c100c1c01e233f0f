"""Reading a plain HTML form: small, text only, no value twice."""

from urllib.parse import parse_qsl

from starlette.requests import Request

from device_gateway.errors import GatewayError

MAX_BYTES = 65_536  # a form of ours has a few short fields
MAX_FIELDS = 100


class BadForm(GatewayError):
    """This form could not be read."""


class FormTooLarge(GatewayError):
    """This form is too large."""

    http_status = 413


class NoForm(GatewayError):
    """A form is expected here: Content-Type application/x-www-form-urlencoded."""

    http_status = 415


async def read_form(request: Request) -> dict[str, str]:
    """Fields of an urlencoded body. Raises BadForm, FormTooLarge or NoForm."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise NoForm
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise FormTooLarge
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise BadForm from error
    form = dict(pairs)
    if len(form) != len(pairs) or any("\0" in value for value in form.values()):
        raise BadForm
    return form
