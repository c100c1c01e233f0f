"""Fetching what a client published under its ``jwks_uri``, without becoming its way into our own network.

The name is resolved once, every address has to be public, and the connection goes to the address that was looked at:
a second answer of the name server changes nothing. HTTPS only, no redirects, no proxy of the environment.
"""

import asyncio
import ipaddress
import json
import re
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from socket import SOCK_STREAM, gaierror
from urllib.parse import SplitResult, urlsplit

import httpx2

from app_catalog.applications.redirect_uri import fault_of
from app_catalog.clients.keys import PublicKeys, UnusableKeys, read_keys
from app_catalog.words import marked

MAX_BYTES = 64 * 1024  # twenty RSA keys with their chains
TIME_S = 5  # seconds for all of it: a request for a token waits for it
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits
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
            return await _fetch(urlsplit(uri), context, hosts_inside)
    except (TimeoutError, gaierror, httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise NotFetched(f"{type(error).__name__} on the way to the keys") from error
    except (UnusableKeys, ValueError, RecursionError) as error:
        raise NotFetched("what is published are no keys") from error


async def _fetch(parts: SplitResult, context: ssl.SSLContext, hosts_inside: Collection[str]) -> Fetched:
    host, port = parts.hostname or "", parts.port or 443
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if parts.scheme != "https" or (host not in hosts_inside and not all(is_public(address) for address in addresses)):
        raise NotFetched("the keys are not published on the public Internet")
    literal = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    target = parts._replace(netloc=f"{literal}:{port}").geturl()
    headers = {
        "Host": parts.netloc,
        "Accept": "application/jwk-set+json, */*",
        "Accept-Encoding": "identity",
    }
    async with (
        httpx2.AsyncClient(verify=context, trust_env=False, follow_redirects=False, timeout=TIME_S) as client,
        client.stream("GET", target, headers=headers, extensions={"sni_hostname": host}) as response,
    ):
        if response.status_code != 200:
            raise NotFetched(f"the answer was {response.status_code}")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise NotFetched("the answer is too long")
        return Fetched(read_keys(json.loads(body)), keep_for(response.headers.get("cache-control", "")))


def is_public(address: str) -> bool:
    """Whether `address` is one of the Internet, also where an IPv6 address stands for an IPv4 one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None and not is_public(str(inner)):
            return False
        ip = ip.ipv4_mapped or ip
    return ip.is_global and not ip.is_multicast


def keep_for(cache_control: str) -> timedelta:
    """How long an answer with this Cache-Control may be used (RFC 9111 §5.2.2), four hours at most."""
    directives = cache_control.lower()
    if "no-store" in directives or "no-cache" in directives:
        return timedelta()
    ages = [int(age) for age in _MAX_AGE.findall(directives)]
    return min(timedelta(seconds=min(ages)), LONGEST) if ages else UNSAID
