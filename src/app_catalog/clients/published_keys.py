"""Keys under the ``jwks_uri`` of clients, kept for as long as their Cache-Control allows and no longer.

A process keeps its own: what another one holds is never needed, only fetched again.
"""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app_catalog.clients.fetch import Fetched, NotFetched, fetch_keys
from app_catalog.clients.keys import PublicKeys

BETWEEN_FETCHES = timedelta(
    seconds=30
)  # of one URI, for unknown keys or after a failure: nobody is flooded by way of us
MAX_KEPT = 1000  # URIs; the oldest goes


@dataclass(frozen=True)
class _Kept:
    """What was fetched last, if anything, and when; and when a fetch was last tried."""

    fetched: Fetched | None
    at: datetime
    tried: datetime
    failed: bool

    def keys(self, now: datetime) -> PublicKeys | None:
        return self.fetched.keys if self.fetched is not None and now < self.at + self.fetched.keep else None


class PublishedKeys:
    """`hosts_inside` are names that may have private addresses; none is such by default."""

    def __init__(self, hosts_inside: Iterable[str] = ()) -> None:
        self._hosts_inside = frozenset(hosts_inside)
        self._kept: dict[str, _Kept] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._context: ssl.SSLContext | None = None

    async def of(self, uri: str, now: datetime) -> PublicKeys:
        """The keys under `uri`. Raises NotFetched, also for a while after a fetch that failed."""
        async with self._locks.setdefault(uri, asyncio.Lock()):  # one fetch for all who wait for it
            kept = self._kept.get(uri)
            if kept is not None and (keys := kept.keys(now)) is not None:
                return keys
            if kept is not None and kept.failed and now < kept.tried + BETWEEN_FETCHES:
                raise NotFetched("the keys could not be had a moment ago")
            return await self._fetch(uri, now)

    async def anew(self, uri: str, now: datetime) -> PublicKeys:
        """For who misses a key: fetched again, unless that was tried a moment ago. Raises NotFetched."""
        async with self._locks.setdefault(uri, asyncio.Lock()):
            kept = self._kept.get(uri)
            if kept is not None and now < kept.tried + BETWEEN_FETCHES:
                raise NotFetched("the keys were asked for a moment ago")
            return await self._fetch(uri, now)

    async def _fetch(self, uri: str, now: datetime) -> PublicKeys:
        try:
            fetched = await fetch_keys(uri, await self._trust(), hosts_inside=self._hosts_inside)
        except NotFetched:
            kept = self._kept.get(uri)
            self._keep(uri, _Kept(kept.fetched if kept else None, kept.at if kept else now, now, failed=True))
            raise
        self._keep(uri, _Kept(fetched, now, now, failed=False))
        return fetched.keys

    async def _trust(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = await asyncio.to_thread(ssl.create_default_context)
        return self._context

    def _keep(self, uri: str, kept: _Kept) -> None:
        self._kept.pop(uri, None)
        self._kept[uri] = kept
        if len(self._kept) > MAX_KEPT:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            self._locks.pop(oldest, None)
