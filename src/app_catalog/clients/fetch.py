"""Fetching what a client published under its ``jwks_uri``, by the rules of `outward`."""

import asyncio
import json
import re
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from socket import gaierror

import httpx2

from app_catalog.applications.redirect_uri import fault_of
from app_catalog.clients.keys import PublicKeys, UnusableKeys, read_keys
from app_catalog.clients.outward import NotPublic, target_of
from app_catalog.words import marked

MAX_BYTES = 64 * 1024  # twenty RSA keys with their chains
TIME_S = 5  # seconds for all of it: a request for a token waits for it
UNSAID = timedelta(minutes=5)  # kept where the answer has no Cache-Control
LONGEST = timedelta(hours=4)  # HDDT: what a client is known by is cached no longer

_MAX_AGE = re.compile(r"max-age\s*=\s*\"?(\d{1,9})")


class NotFetched(Exception):
    """The keys could not be had. The text is for the vendor."""


@dataclass(frozen=True)
class Fetched:
    keys: PublicKeys
    keep: timedelta  # for how long they may be used


def fault_of_jwks_uri(uri: str) -> str | None:
    """What is wrong with `uri` as the place where keys are published, as an English msgid."""
    if not uri.startswith("https://") or fault_of(uri):
        return marked("Keys are published under an https URI, without user name or fragment.")
    return None


async def fetch_keys(uri: str, context: ssl.SSLContext, *, hosts_inside: Collection[str]) -> Fetched:
    """The keys under `uri`. `hosts_inside` may have private addresses: the operator named them. Raises NotFetched."""
    try:
        async with asyncio.timeout(TIME_S):
            return await _fetch(uri, context, hosts_inside)
    except (TimeoutError, gaierror, httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise NotFetched(f"{type(error).__name__} on the way to the keys") from error
    except (UnusableKeys, ValueError, RecursionError) as error:
        raise NotFetched("what is published are no keys") from error


async def _fetch(uri: str, context: ssl.SSLContext, hosts_inside: Collection[str]) -> Fetched:
    try:
        target = await target_of(uri, hosts_inside)
    except NotPublic:
        raise NotFetched("the keys are not published on the public Internet") from None
    headers = {
        "Host": target.host,
        "Accept": "application/jwk-set+json, */*",
        "Accept-Encoding": "identity",
    }
    async with (
        httpx2.AsyncClient(verify=context, trust_env=False, follow_redirects=False, timeout=TIME_S) as client,
        client.stream("GET", target.url, headers=headers, extensions={"sni_hostname": target.name}) as response,
    ):
        if response.status_code != 200:
            raise NotFetched(f"the answer was {response.status_code}")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise NotFetched("the answer is too long")
        return Fetched(read_keys(json.loads(body)), keep_for(response.headers.get("cache-control", "")))


def keep_for(cache_control: str) -> timedelta:
    """How long an answer with this Cache-Control may be used (RFC 9111 §5.2.2), four hours at most."""
    directives = cache_control.lower()
    if "no-store" in directives or "no-cache" in directives:
        return timedelta()
    ages = [int(age) for age in _MAX_AGE.findall(directives)]
    return min(timedelta(seconds=min(ages)), LONGEST) if ages else UNSAID
