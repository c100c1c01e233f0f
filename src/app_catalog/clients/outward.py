"""Reaching an address that a vendor named, without becoming its way into our own network.

The name is resolved once, every address has to be public, and the connection goes to the address that was looked at:
a second answer of the name server changes nothing. HTTPS only; whoever connects follows no redirect and no proxy of the
environment.
"""

import asyncio
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from socket import SOCK_STREAM
from urllib.parse import urlsplit

UNICAST = ipaddress.ip_network("2000::/3")  # RFC 4291 §2.4: all that the Internet has given out of IPv6
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits


class NotPublic(Exception):
    """The address is not one of the public Internet."""


@dataclass(frozen=True)
class Target:
    """Where to connect. `url` has the address in place of the name; `host` is the Host header, `name` that of TLS."""

    url: str
    host: str
    name: str


async def target_of(uri: str, hosts_inside: Collection[str]) -> Target:
    """Where `uri` leads. `hosts_inside` may have private addresses: the operator named them.

    Raises NotPublic, and gaierror for a name that has no address.
    """
    parts = urlsplit(uri)
    host, port = parts.hostname or "", parts.port or 443
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if parts.scheme != "https" or (host not in hosts_inside and not all(is_public(address) for address in addresses)):
        raise NotPublic
    literal = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    return Target(parts._replace(netloc=f"{literal}:{port}").geturl(), parts.netloc, host)


def is_public(address: str) -> bool:
    """Whether `address` is one of the Internet, also where an IPv6 address stands for an IPv4 one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None and not is_public(str(inner)):
            return False
        if inner is None and ip not in UNICAST:
            return False
        ip = ip.ipv4_mapped or ip
    return ip.is_global and not ip.is_multicast
