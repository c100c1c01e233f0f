"""Redirect URIs: which may be registered, and whether one that is asked for is registered.

OAuth 2.1 §2.3: compared as strings, no patterns. Only https, and http on loopback for apps on the user's own machine.
"""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qsl, urlsplit

from app_catalog.words import marked

MAX_LENGTH = 1000  # characters; it travels in headers, and back in the query of the authorization request
RESERVED = frozenset({"code", "state", "iss", "error", "error_description", "error_uri", "scope"})  # we add these

_PLAIN = re.compile(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~%-]+")  # the characters of RFC 3986, nothing else
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*{_LABEL}")  # RFC 1123 §2.1


def fault_of(uri: str) -> str | None:
    """What is wrong with `uri` as a redirect URI to register, as an English msgid; None when nothing is."""
    if len(uri) > MAX_LENGTH or not _PLAIN.fullmatch(uri):
        return marked("A redirect URI has at most 1000 characters, all of them those of RFC 3986.")
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return marked("This is not a URI.")
    if "#" in uri or "*" in uri:
        return marked("A redirect URI has neither a fragment nor a wildcard.")
    if parts.username is not None or parts.password is not None:
        return marked("A redirect URI has no user name.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        return marked("A redirect URI is https, or http on the loopback address.")
    if not _is_host(parts):
        return marked("A redirect URI needs the name of a host.")
    if any(segment in {".", ".."} for segment in re.sub("%2[eE]", ".", parts.path).split("/")):
        return marked("A redirect URI has no dot segments.")
    if RESERVED & {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}:
        return marked("The query of a redirect URI may not use the names of OAuth's own parameters.")
    return None


def is_registered(wanted: str, registered: Iterable[str], *, any_loopback_port: bool) -> bool:
    """Whether `wanted` is one of `registered`. A native app's loopback address may have another port (RFC 8252)."""
    if wanted in registered:
        return True
    if not any_loopback_port or fault_of(wanted):
        return False
    return any(
        _is_loopback_literal(uri) and _without_port(uri) == _without_port(wanted)
        for uri in registered
        if _is_loopback_literal(wanted)
    )


def is_loopback(host: str | None) -> bool:
    """Whether `host` is ``localhost`` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def origin_of(uri: str) -> str:
    """The web origin of a registered redirect URI (RFC 6454 §6.2)."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(':443' if parts.scheme == 'https' else ':80')}"


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if parts.netloc.startswith("["):
        return is_loopback(host)
    return bool(_HOST.fullmatch(host))


def _is_loopback_literal(uri: str) -> bool:
    parts = urlsplit(uri)
    return parts.scheme == "http" and parts.hostname != "localhost" and is_loopback(parts.hostname)


def _without_port(uri: str) -> tuple[str | None, str, str]:
    parts = urlsplit(uri)
    return parts.hostname, parts.path, parts.query
