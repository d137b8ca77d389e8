"""An order's whole way where orders, room and cache lie on a Cluster: accepted, drained, settled, seen and audited."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from db.audit import promises
from db.connections.pool import Connection
from doorbuster import keys
from doorbuster.orderstore.backlog import streams
from doorbuster.orderstore.ids import route_of
from doorbuster.redis_clients import plain_client
from doorbuster.redis_roles.commands import slot_of
from doorbuster.settings import Settings
from tests.fixtures.intake import Serve
from tests.fixtures.shop import IDLE_S, Shop
from tests.fixtures.valkey_cluster import Cluster
from tests.fixtures.waiting import eventually
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
    monkeypatch.setattr(shift, "IDLE_S", IDLE_S)
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
    assert [answer.text for answer in answers if answer.status_code != 202] == []
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


@pytest.fixture
def mortal_cluster(stores_folder: Path) -> Iterator[Cluster]:
    """A cluster of a test's own, of which it kills more than comes back by itself."""
    made = Cluster(stores_folder / "mortal-cluster")
    try:
        made.whole()
        yield made
    finally:
        made.stop()


@pytest.mark.soak
async def test_a_primary_that_is_away_stops_no_partition_of_others(serve: Serve, mortal_cluster: Cluster) -> None:
    cluster, url = mortal_cluster, SecretStr(mortal_cluster.url)
    intake = await serve(
        orders_redis_url=url, room_redis_url=url, cache_redis_url=url, durability="replicas:1", store_timeout_s=1.0,
        durability_check_s=0.1,
    )  # fmt: skip
    made = await intake.open_sale("sale", "hot", partitions=PARTITIONS)
    number = made["sale_number"]
    nodes = [cluster.primary_of(keys.stream(number, partition)) for partition in range(PARTITIONS)]
    away = {partition for partition, node in enumerate(nodes) if node is nodes[0]}
    assert away < set(range(PARTITIONS))
    customers = {}
    for number_of_customer in range(40):
        customer = f"c{number_of_customer}"
        answer = await intake.post("sale", customer_id=customer, key=f"first-{customer}")
        assert answer.status_code == 202
        _, customers[customer] = route_of(UUID(answer.json()["order_id"]))

    async def posted(key: str) -> dict[int, set[int]]:
        """Post an order of each customer; return the answers by partition."""
        answers = await asyncio.gather(*(intake.post("sale", customer_id=one, key=f"{key}-{one}") for one in customers))
        found: dict[int, set[int]] = {}
        for partition, answer in zip(customers.values(), answers, strict=True):
            found.setdefault(partition, set()).add(answer.status_code)
        return found

    cluster.kill(cluster.replica_of(nodes[0]))
    cluster.kill(nodes[0])
    looks = itertools.count()

    async def others_go_on() -> bool:
        found = await posted(f"meanwhile-{next(looks)}")
        assert all(found[partition] == {503} for partition in away & found.keys())
        return {partition for partition, codes in found.items() if codes == {202}} == found.keys() - away

    await eventually(others_go_on, what="orders of the other partitions to be accepted")
    ready = (await intake.http.get("/readyz")).json()
    assert ready["checks"]["orders_store"]["ok"]
    async with plain_client(cluster.url) as orders:
        told = await streams(orders, [(number, partition) for partition in range(PARTITIONS)])
    assert {partition for _, partition in told} == set(range(PARTITIONS)) - away
    await asyncio.to_thread(cluster.whole)

    async def whole() -> bool:
        return all(codes == {202} for codes in (await posted("after")).values())

    await eventually(whole, what="orders of all partitions to be accepted", within_s=30)
