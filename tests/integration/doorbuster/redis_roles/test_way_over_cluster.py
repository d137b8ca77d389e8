"""An order's whole way where orders, room and cache lie on a Cluster: accepted, drained, settled, seen and audited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from db.audit import promises
from db.connections.pool import Connection
from doorbuster import keys
from doorbuster.redis_clients import plain_client
from doorbuster.redis_roles.commands import slot_of
from doorbuster.settings import Settings
from tests.fixtures.intake import Serve
from tests.fixtures.shop import IDLE_S, PATIENT_S, Shop
from tests.fixtures.valkey_cluster import Cluster
from workers.drain import shift as drain_shift
from workers.runtime import shift

PARTITIONS = 4
CUSTOMERS = 60


@pytest.fixture
def clustered(settings: Settings, cluster: Cluster) -> Settings:
    """Settings of a process whose roles are on a cluster, but for the jobs."""
    url = SecretStr(cluster.url)
    return settings.model_copy(update={"orders_redis_url": url, "room_redis_url": url, "cache_redis_url": url})


@pytest.fixture
async def spread_shop(db: Connection, clustered: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    """A shop whose order store is the cluster."""
    monkeypatch.setattr(shift, "IDLE_S", PATIENT_S)
    monkeypatch.setattr(drain_shift, "BLOCK_S", IDLE_S)
    async with plain_client(clustered.orders_redis_url.get_secret_value()) as orders:
        yield Shop(db, orders, clustered)


async def test_orders_are_accepted_drained_and_settled(serve: Serve, spread_shop: Shop, clustered: Settings) -> None:
    url = clustered.orders_redis_url
    intake = await serve(orders_redis_url=url, room_redis_url=url, cache_redis_url=url)
    await intake.make_product("hot", units=CUSTOMERS - 5)
    made = await intake.open_sale("sale", "hot", partitions=PARTITIONS, payment="capture")
    number = spread_shop.sale_number = made["sale_number"]
    posts = [
        intake.post("sale", customer_id=f"c{n}", key=f"key-{n}", payment={"token": "tok"}) for n in range(CUSTOMERS)
    ]
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {202}
    again = await intake.post("sale", customer_id="c0", key="key-0", payment={"token": "tok"})
    assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
    lengths = [await spread_shop.orders.xlen(keys.stream(number, partition)) for partition in range(PARTITIONS)]
    assert sum(lengths) == CUSTOMERS
    assert all(lengths)
    for partition in range(PARTITIONS):
        await spread_shop.drain(partition)
        await spread_shop.settle(partition=partition)
    rows = await spread_shop.db.fetch("select status::text as status, reason from orders")
    assert sorted((row["status"], row["reason"]) for row in rows) == [
        *[("cancelled", "sold_out")] * 5,
        *[("confirmed", None)] * (CUSTOMERS - 5),
    ]
    found = await promises.look(spread_shop.db, spread_shop.orders)
    assert [figure for figure in found.figures if figure.breaches] == []
    assert (await intake.http.get("/readyz")).status_code == 200
    assert (await intake.http.get("/products/hot")).status_code == 200


def test_partitions_spread_over_nodes() -> None:
    """Otherwise a cluster would be no faster than one server."""
    slots = {slot_of(keys.stream(7, partition)) for partition in range(8)}
    assert len({slot * 3 // 16_384 for slot in slots}) == 3
