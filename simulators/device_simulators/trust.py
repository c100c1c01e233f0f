"""Whom clients of HTTPS trust."""

import ssl
from functools import cache

import httpx2


@cache
def trusted() -> ssl.SSLContext:
    """As httpx trusts by default. Reading the authorities takes longer than a request: it is done once."""
    return httpx2.create_ssl_context()
