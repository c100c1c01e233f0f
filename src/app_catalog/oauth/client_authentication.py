"""How a client says who it is (RFC 6749 §2.3): checks that come before Authlib, which accepts too much.

Authlib takes two methods in one request, and lets a malformed Basic header fall through to "none".
"""

import base64
import binascii
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from starlette.datastructures import Headers

from app_catalog.clients.assertion import TYPE, NotProven, read_assertion
from app_catalog.form import Fields
from app_catalog.oauth.failure import Refused


@dataclass(frozen=True)
class Presented:
    """A request to a JSON endpoint: its form fields and its headers."""

    fields: Fields
    headers: Headers

    @cached_property
    def authorization(self) -> list[str]:
        return self.headers.getlist("authorization")

    @cached_property
    def basic(self) -> tuple[str, str] | None:
        """Client id and secret of a Basic header, form-decoded (RFC 6749 §2.3.1). Raises Refused when malformed."""
        scheme, _, text = (self.authorization or [""])[0].partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            client_id, colon, secret = base64.b64decode(text.strip(), validate=True).decode("utf-8").partition(":")
            client_id, secret = unquote(client_id, errors="strict"), unquote(secret, errors="strict")
        except (binascii.Error, ValueError):
            raise Refused("invalid_client", "The Basic header is malformed.") from None
        if not colon or not client_id or not (client_id + secret).isprintable():
            raise Refused("invalid_client", "The Basic header is malformed.")
        return client_id, secret

    @cached_property
    def bearer(self) -> str | None:
        scheme, _, text = (self.authorization or [""])[0].partition(" ")
        return text.strip() if scheme.lower() == "bearer" else None

    @cached_property
    def client_id(self) -> str:
        """The client that the request names; empty when it names none. An assertion names one (RFC 7521 §4.2)."""
        if self.basic:
            return self.basic[0]
        return self.fields.get("client_id") or self.assertion_subject

    @property
    def assertion_subject(self) -> str:
        """Who the assertion says that it is from; empty without one, and for one that cannot be read."""
        try:
            return read_assertion(self.fields.text("client_assertion")).subject
        except NotProven:
            return ""


def nothing_is_repeated(presented: Presented) -> None:
    if presented.fields.repeated:
        raise Refused("invalid_request", "A parameter is sent more than once.")


def authorization_is_understood(presented: Presented) -> None:
    """Any other header was meant to authenticate as well: ignoring it would be answering someone else."""
    if len(presented.authorization) > 1:
        raise Refused("invalid_request", "There is more than one Authorization header.")
    if presented.authorization and presented.basic is None and presented.bearer is None:
        raise Refused("invalid_client", "The scheme of the Authorization header is not supported.")


def one_authentication_only(presented: Presented) -> None:
    """RFC 6749 §2.3: no more than one method in a request."""
    if presented.basic and presented.fields.get("client_secret"):
        raise Refused("invalid_request", "The client authenticates with two methods.")
    if presented.fields.get("client_assertion") is None and presented.fields.get("client_assertion_type") is None:
        return
    if presented.basic or presented.bearer is not None or presented.fields.get("client_secret"):
        raise Refused("invalid_request", "The client authenticates with two methods.")
    if presented.fields.get("client_assertion_type") != TYPE or presented.fields.get("client_assertion") is None:
        raise Refused("invalid_client", "The client assertion is not one of RFC 7523.")


def one_client_only(presented: Presented) -> None:
    named = presented.fields.get("client_id")
    if presented.basic and named is not None and named != presented.basic[0]:
        raise Refused("invalid_request", "The client_id is not that of the Authorization header.")


def client_is_named(presented: Presented) -> None:
    if not presented.client_id:
        raise Refused("invalid_client", "The client is not named.")


def token_is_there(presented: Presented) -> None:
    """For the endpoints that are asked about a token."""
    if presented.fields.get("token") is None:
        raise Refused("invalid_request", "The token is missing.")


CHECKS = (
    nothing_is_repeated,
    authorization_is_understood,
    one_authentication_only,
    one_client_only,
    client_is_named,
)
