"""CDNs let go of what changed: a real Varnish with the VCL that is shipped, and CloudFront as moto has it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from moto import mock_aws

from catalogue.cache import subjects
from catalogue.cdn.cloudfront import PATHS_MAX, CloudFrontPurge, paths
from catalogue.cdn.varnish import TAGS_MAX, VarnishPurge
from db.products.catalogue_changes import Change
from doorbuster.errors import StoreUnavailableError
from doorbuster.ports import reserve
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.shop import Shop
from tests.fixtures.varnish import KEY, varnish
from workers.publish.catalogue import PurgeTarget
from workers.publish.relay import Relay

PRODUCT = {"name": "Bag", "brand": "Acme", "category": "things", "price": 100, "currency": "EUR"}


class Front:
    """What a shopper behind Varnish sees."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=10)

    async def get(self, path: str) -> tuple[int, str, Any]:
        """Return status, hit or miss, body."""
        answer = await self._client.get(path)
        return answer.status_code, answer.headers["x-cache"], answer.json()

    async def close(self) -> None:
        await self._client.aclose()


async def refused(url: str, key: str | None) -> None:
    """Purge with this key, and see it refused."""
    stranger = VarnishPurge([url], key)
    with pytest.raises(StoreUnavailableError, match="403"):
        await stranger.purge(["product/hat"])
    await stranger.close()


async def test_varnish_keeps_pages_until_the_relay_purges_them(serve: Serve, shop: Shop) -> None:
    intake = await serve(catalogue_fresh_s=0.1, replica_lag_max_s=0.3)
    for name in ("bag", "hat"):
        await intake.make_product(name)
    await shop.db.execute("truncate product_changes")  # nobody has kept what was before
    server = varnish(intake.port)
    url = await asyncio.to_thread(server.__enter__)
    front = Front(url)
    try:
        await _purged_by_the_relay(intake.ops, front, shop, url)
    finally:
        await front.close()
        await asyncio.to_thread(server.__exit__, None, None, None)


async def _purged_by_the_relay(ops: httpx.AsyncClient, front: Front, shop: Shop, url: str) -> None:
    for path in ("/products/bag", "/products/hat", "/products?category=things", "/products/new"):
        assert (await front.get(path))[1] == "miss"
        assert (await front.get(path))[1] == "hit"
    assert (await front.get("/products/new"))[:2] == (404, "hit")
    (await ops.put("/ops/products/bag", json=PRODUCT | {"price": 90})).raise_for_status()
    (await ops.put("/ops/products/new", json=PRODUCT)).raise_for_status()
    assert (await front.get("/products/bag"))[2]["price"] == 100, "Varnish did not keep it: the test shows nothing"
    settings = shop.settings.model_copy(
        update={"purge_varnish_urls": (url,), "catalogue_fresh_s": 0.1, "replica_lag_max_s": 0.3}
    )
    await shop.db.execute("update product_changes set at = at - interval '2 seconds'")  # as if so much time had passed
    await refused(url, None)  # any client of this machine
    assert (await front.get("/products/hat"))[1] == "hit"
    purge = VarnishPurge([url], KEY)
    await shop.run(
        "catalogue",
        lambda mine: Relay(mine, [PurgeTarget(purge, settings)]),
    )
    assert (await front.get("/products/bag"))[2]["price"] == 90
    assert (await front.get("/products/new"))[0] == 200
    listed = (await front.get("/products?category=things"))[2]["items"]
    assert [(one["product_id"], one["price"]) for one in listed] == [("bag", 90), ("hat", 100), ("new", 100)]
    assert (await front.get("/products/hat"))[1] == "hit"


async def test_without_a_key_of_its_own_varnish_lets_nobody_purge(intake: Intake) -> None:
    server = varnish(intake.port, key="")
    url = await asyncio.to_thread(server.__enter__)
    try:
        for key in (None, KEY, ""):
            await refused(url, key)
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def test_purges_are_batched_and_a_server_that_is_away_is_said_to_be() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Xkey-Purge"])
        return httpx.Response(200)

    purge = VarnishPurge(["http://one", "http://two"])
    purge._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    await purge.purge([f"product/{number}" for number in range(TAGS_MAX + 1)])
    assert sorted(len(tags.split()) for tags in asked) == [1, 1, TAGS_MAX, TAGS_MAX]
    away = VarnishPurge([f"http://127.0.0.1:{reserve()}"])
    with pytest.raises(StoreUnavailableError):
        await away.purge(["product/1"])
    await away.close()


def test_tags_are_one_plain_word_each() -> None:
    changed = subjects.floors([Change("a b/ü" * 30, 1, "Shoes & more", "Old")], lsn=7)
    tags = [subjects.tag(subject) for subject in changed]
    assert all(tag.isascii() and not set(tag) & set(' ",') and len(tag) < 140 for tag in tags)
    assert "listing/Shoes%20%26%20more" in tags
    assert "listing" in tags


def test_cloudfront_is_told_paths() -> None:
    assert paths(["product/a%20b", "product/c"]) == ["/products/a%20b", "/products/c"]
    assert paths(["product/a", "listing/c", "listing"]) == ["/products/a", "/products", "/products?*"]
    assert paths([f"product/{number}" for number in range(PATHS_MAX + 1)]) == ["/products/*"]


@pytest.fixture
def distribution(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str]]:
    """A client of a stand-in CloudFront, and a distribution's id."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("cloudfront")
        origin = {
            "Id": "shop", "DomainName": "shop.example",
            "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
        }  # fmt: skip
        made = client.create_distribution(
            DistributionConfig={
                "CallerReference": "1", "Comment": "", "Enabled": True,
                "Origins": {"Quantity": 1, "Items": [origin]},
                "DefaultCacheBehavior": {"TargetOriginId": "shop", "ViewerProtocolPolicy": "https-only"},
            }
        )  # fmt: skip
        yield client, made["Distribution"]["Id"]


async def test_cloudfront_gets_one_invalidation_a_batch(distribution: tuple[Any, str]) -> None:
    client, distribution_id = distribution
    purge = CloudFrontPurge(distribution_id)
    await purge.purge(["product/a", "product/b", "listing/c", "listing"])
    await purge.purge(["product/a"])
    listed = client.list_invalidations(DistributionId=distribution_id)["InvalidationList"]["Items"]
    asked = [
        client.get_invalidation(DistributionId=distribution_id, Id=one["Id"])["Invalidation"]["InvalidationBatch"]
        for one in listed
    ]
    assert sorted(batch["Paths"]["Items"] for batch in asked) == [
        ["/products/a"],
        ["/products/a", "/products/b", "/products", "/products?*"],
    ]
    assert len({batch["CallerReference"] for batch in asked}) == 2


async def test_a_distribution_that_is_not_there_is_an_error(distribution: tuple[Any, str]) -> None:
    with pytest.raises(StoreUnavailableError):
        await CloudFrontPurge("nobody").purge(["product/a"])
