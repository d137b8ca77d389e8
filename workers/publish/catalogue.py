"""The caches and CDNs as targets of the outbox of catalogue changes, and which of them the settings name.

Owns how long each waits and what it is told. A change told twice changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalogue.cache import subjects
from catalogue.cache.shared import SharedCache
from catalogue.cdn.cloudfront import CloudFrontPurge
from catalogue.cdn.varnish import Purge, VarnishPurge
from doorbuster.redis_clients import plain_client
from workers.publish.outboxes import CATALOGUE_CHANGES
from workers.publish.product_events import ProductEvents
from workers.publish.relay import OutboxBatch, OutboxTarget, Relay
from workers.publish.search_index import SearchTarget

if TYPE_CHECKING:
    from db.products.catalogue_changes import Change
    from doorbuster.settings import Settings
    from workers.runtime.shift import Shift

COMMIT_S = 1.0
"""Longest that a transaction goes on after it wrote a change, usually."""


class CacheTarget:
    """The shared cache, and by its channel the processes' own copies."""

    name = "catalogue-cache"
    source = CATALOGUE_CHANGES
    wait_s = 0.0

    def __init__(self, settings: Settings) -> None:
        self._redis = plain_client(settings.cache_redis_url.get_secret_value(), timeout_s=2.0)
        self._cache = SharedCache(self._redis, keep_s=settings.catalogue_keep_s)

    async def deliver(self, batch: OutboxBatch[Change]) -> bool:
        """Put floors under what changed."""
        await self._cache.invalidate(subjects.floors(batch.rows, batch.lsn))
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


class PurgeTarget:
    """A CDN. Waits until no process can have an older copy: what it fetches after the purge stays there for long."""

    source = CATALOGUE_CHANGES

    def __init__(self, purge: Purge, settings: Settings) -> None:
        self.name = f"catalogue-{purge.name}"
        self.wait_s = purge_wait_s(settings)
        self._purge = purge

    async def deliver(self, batch: OutboxBatch[Change]) -> bool:
        """Purge what changed."""
        await self._purge.purge([subjects.tag(subject) for subject in subjects.floors(batch.rows, batch.lsn)])
        return True

    async def close(self) -> None:
        """Close what the CDN's adapter has open."""
        await self._purge.close()


def purge_wait_s(settings: Settings) -> float:
    """Return how old a change must be so that no process shows what was before it."""
    return settings.catalogue_fresh_s + settings.replica_lag_max_s + COMMIT_S


def make_targets(settings: Settings) -> list[OutboxTarget[Change]]:
    """Return what the settings name."""
    targets: list[OutboxTarget[Change]] = [CacheTarget(settings)]
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
    found = {CacheTarget.name: 0.0, ProductEvents.name: ProductEvents.wait_s}
    if settings.search_url is not None:
        found[SearchTarget.name] = SearchTarget.wait_s
    if settings.purge_varnish_urls:
        found[f"catalogue-{VarnishPurge.name}"] = purge_wait_s(settings)
    if settings.purge_cloudfront_distribution:
        found[f"catalogue-{CloudFrontPurge.name}"] = purge_wait_s(settings)
    return found


def catalogue_relay(shift: Shift) -> Relay:
    """Return the work of telling caches, CDNs, search and webhooks what changed, unpaced: a copy's age is promised."""
    return Relay(shift, [*make_targets(shift.settings), ProductEvents(shift)])
