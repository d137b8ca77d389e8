"""The catalogue shift: tells caches, CDNs and search indexes what changed, from the outbox, at least once.

Owns a cursor a target, so that a target that is away holds up no other. Never reads past a transaction that is still
open: none is skipped when transactions commit out of order. Applying a change twice changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol

from catalogue.cache import subjects
from catalogue.cache.shared import SharedCache
from catalogue.cdn.cloudfront import CloudFrontPurge
from catalogue.cdn.varnish import Purge, VarnishPurge
from db.orders import outbox
from db.products import catalogue_changes
from db.products.catalogue_changes import Change
from doorbuster.failures import TRANSIENT
from doorbuster.redis_clients import plain_client
from workers.publish.search_index import SearchTarget

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.orders.outbox import OutboxPlace
    from doorbuster.settings import Settings
    from workers.runtime.shift import Shift

BATCH = 2_000
POLL_S = 0.1
KEEP_S = 3_600.0
FORGET_S = 60.0
FORGET_MAX = 10_000
"""Changes deleted at a time: an import brings millions."""
COMMIT_S = 1.0
"""Longest that a transaction goes on after it wrote a change, usually."""


class Target(Protocol):
    """Something that is kept right."""

    name: str
    """Of its cursor."""
    wait_s: float
    """How old a change must be before it is told, from the moment its row was written."""

    async def apply(self, several: Sequence[Change], lsn: int) -> None:
        """Take changes, again or for the first time; `lsn` is a log position behind all of them."""

    async def close(self) -> None:
        """Close what is open."""


class CacheTarget:
    """The shared cache, and by its channel the processes' own copies."""

    name = "catalogue-cache"
    wait_s = 0.0

    def __init__(self, settings: Settings) -> None:
        self._redis = plain_client(settings.cache_redis_url.get_secret_value(), timeout_s=2.0)
        self._cache = SharedCache(self._redis, keep_s=settings.catalogue_keep_s)

    async def apply(self, several: Sequence[Change], lsn: int) -> None:
        """Put floors under what changed."""
        await self._cache.invalidate(subjects.floors(several, lsn))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


class PurgeTarget:
    """A CDN. Waits until no process can have an older copy: what it fetches after the purge stays there for long."""

    def __init__(self, purge: Purge, settings: Settings) -> None:
        self.name = f"catalogue-{purge.name}"
        self.wait_s = purge_wait_s(settings)
        self._purge = purge

    async def apply(self, several: Sequence[Change], lsn: int) -> None:
        """Purge what changed."""
        await self._purge.purge([subjects.tag(subject) for subject in subjects.floors(several, lsn)])

    async def close(self) -> None:
        """Close what the CDN's adapter has open."""
        await self._purge.close()


def purge_wait_s(settings: Settings) -> float:
    """Return how old a change must be so that no process shows what was before it."""
    return settings.catalogue_fresh_s + settings.replica_lag_max_s + COMMIT_S


def make_targets(settings: Settings) -> list[Target]:
    """Return what the settings name."""
    targets: list[Target] = [CacheTarget(settings)]
    if settings.search_url is not None:
        targets.append(SearchTarget(settings))
    if settings.purge_varnish_urls:
        key = settings.purge_varnish_key
        urls = [url.get_secret_value() for url in settings.purge_varnish_urls]
        varnish = VarnishPurge(urls, None if key is None else key.get_secret_value())
        targets.append(PurgeTarget(varnish, settings))
    if settings.purge_cloudfront_distribution:
        targets.append(PurgeTarget(CloudFrontPurge(settings.purge_cloudfront_distribution), settings))
    return targets


def waits(settings: Settings) -> dict[str, float]:
    """Return the cursors of the targets that the settings name, and how old a change must be for each."""
    found = {CacheTarget.name: 0.0}
    if settings.search_url is not None:
        found[SearchTarget.name] = SearchTarget.wait_s
    if settings.purge_varnish_urls:
        found[f"catalogue-{VarnishPurge.name}"] = purge_wait_s(settings)
    if settings.purge_cloudfront_distribution:
        found[f"catalogue-{CloudFrontPurge.name}"] = purge_wait_s(settings)
    return found


class CatalogueRelay:
    """Keeps all targets right; see `shift.Work`."""

    full = BATCH
    paced = False
    under_way = False
    """How old a copy may be is promised (P8)."""

    def __init__(self, shift: Shift, make: Callable[[Settings], list[Target]] = make_targets) -> None:
        self._shift = shift
        self._targets = make(shift.settings)
        self._places: dict[str, OutboxPlace] = {}
        self._forgot = time.monotonic()

    async def begin(self) -> None:
        """Go on behind the last change known to be told to each target."""
        connection = await self._shift.connection()
        self._places = {one.name: await outbox.read_cursor(connection, one.name) for one in self._targets}

    async def step(self) -> int:
        """Tell each target a batch. One that fails holds up itself alone: it is raised when all had their turn."""
        connection = await self._shift.connection()
        done, failure = 0, None
        for target in self._targets:
            try:
                done += await self._tell(connection, target)
            except TRANSIENT as error:
                if connection.is_closed():
                    raise
                failure = failure or error
        if failure is not None:
            raise failure
        if not done:
            await self._forget(connection)
            await asyncio.sleep(POLL_S)
        return done

    async def end(self, *, at_once: bool) -> None:  # noqa: ARG002 - closing takes no time
        """Close what the targets have open."""
        for target in self._targets:
            await target.close()

    async def _tell(self, connection: Connection, target: Target) -> int:
        place = self._places[target.name]
        found = await catalogue_changes.unrelayed(connection, place, limit=self._shift.size.now)
        found = list(takewhile(lambda one: one.age_s >= target.wait_s, found))
        if not found:
            return 0
        # Read after the changes: everything they show lies before this position.
        position = await catalogue_changes.log_position(connection)
        await target.apply([one.change for one in found], position)
        async with self._shift.holding() as held:
            await outbox.advance(held, target.name, found[-1].place)
        self._places[target.name] = found[-1].place
        return len(found)

    async def _forget(self, connection: Connection) -> None:
        if time.monotonic() - self._forgot > FORGET_S:
            self._forgot = time.monotonic()
            names = [target.name for target in self._targets]
            await catalogue_changes.forget(connection, names, older_than_s=KEEP_S, limit=FORGET_MAX)
