"""Purging CloudFront. Owns its paths and their batches; CloudFront knows no surrogate keys, only paths.

Needs the extra `aws`. Credentials and region come as boto3 finds them.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from catalogue.cache.subjects import DIGEST, EVERYTHING
from doorbuster.errors import StoreUnavailableError

PATHS_MAX = 1_000
"""Paths in one invalidation; CloudFront takes 3,000 in progress, and costs by the path beyond 1,000 a month."""
EVERY_PRODUCT = "/products/*"
EVERY_LISTING = "/products?*"
LISTING = "/products"


class CloudFrontPurge:
    """One distribution."""

    name = "cloudfront"

    def __init__(self, distribution: str, client: Any = None) -> None:
        self._distribution = distribution
        self._client = client

    async def purge(self, tags: Sequence[str]) -> None:
        """Ask for one invalidation of all paths; many products are purged by a wildcard."""
        await asyncio.to_thread(self._ask, paths(tags))

    async def close(self) -> None:
        """Nothing is open."""

    def _ask(self, wanted: list[str]) -> None:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        if self._client is None:
            self._client = boto3.client("cloudfront")
        try:
            self._client.create_invalidation(
                DistributionId=self._distribution,
                InvalidationBatch={
                    "Paths": {"Quantity": len(wanted), "Items": wanted},
                    "CallerReference": uuid.uuid4().hex,
                },
            )
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailableError(f"CloudFront was not purged: {error}") from error


def paths(tags: Sequence[str]) -> list[str]:
    """Return the paths of surrogate keys: a listing's pages are many, so all listings go when one changed."""
    names = {tag.partition("/")[2] for tag in tags if tag.startswith("product/")}
    products = sorted("/products/" + name for name in names)
    # A digest of a long name is no path: its product is among all of them.
    if len(products) > PATHS_MAX or any(name.startswith(DIGEST) for name in names):
        products = [EVERY_PRODUCT]
    listings = [LISTING, EVERY_LISTING] if any(tag.startswith(EVERYTHING) for tag in tags) else []
    return products + listings
