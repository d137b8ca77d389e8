"""The order store is judged at the start and while it runs; while it is not durable no order is taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest
import redis as sync_redis
from redis.asyncio import Redis

from doorbuster import keys
from doorbuster.embedded.stores.valkey import Valkey
from doorbuster.redis_clients import plain_client
from intake.accepting.durability import Durability
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.stores import _PASSWORD
from tests.fixtures.waiting import end, eventually

pytestmark = pytest.mark.versions

RIGHT = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}
WRONG = [
    ("appendonly", "no"),
    ("appendfsync", "everysec"),
    ("no-appendfsync-on-rewrite", "yes"),
    ("maxmemory-policy", "allkeys-lru"),
]


@pytest.fixture
def store(orders_redis_url: str) -> Iterator[sync_redis.Redis]:
    """The order store, set right again afterwards."""
    with sync_redis.Redis.from_url(orders_redis_url) as client:
        yield client
        client.execute_command("ACL", "SETUSER", "default", "+config")
        for name, value in RIGHT.items():
            client.config_set(name, value)


async def turns(intake: Intake, status: int) -> None:
    async def turned() -> bool:
        return (await intake.post("sale")).status_code == status

    await eventually(turned)


@pytest.mark.parametrize(("name", "value"), WRONG)
async def test_a_store_that_weakens_gets_no_orders(
    serve: Serve, store: sync_redis.Redis, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    intake = await serve(durability_check_s=0.1)
    await intake.open_sale()
    assert (await intake.post("sale")).status_code == 202
    with caplog.at_level(logging.ERROR, "doorbuster.intake.durability"):
        store.config_set(name, value)
        await turns(intake, 503)
    refused = await intake.post("sale")
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("store_unavailable", "1")
    ready = await intake.http.get("/readyz")
    assert ready.status_code == 503
    assert f"{name} is {value}" in ready.json()["checks"]["durability"]["reason"]
    faults = [fault for record in caplog.records for fault in getattr(record, "faults", ())]
    assert any(f"{name} is {value}" in fault for fault in faults)
    store.config_set(name, RIGHT[name])
    await turns(intake, 202)
    assert (await intake.http.get("/readyz")).status_code == 200


@pytest.mark.parametrize(("name", "value"), WRONG)
async def test_a_weak_store_gets_none_from_the_start_unless_told(
    serve: Serve, store: sync_redis.Redis, name: str, value: str
) -> None:
    store.config_set(name, value)
    strict = await serve()
    await strict.open_sale()
    assert (await strict.post("sale")).json()["code"] == "store_unavailable"
    lax = await serve(durability="none")
    assert (await lax.post("sale")).status_code == (503 if name == "maxmemory-policy" else 202)


async def test_where_config_is_forbidden_info_is_asked(orders_redis: Redis, store: sync_redis.Redis) -> None:
    durability = Durability(orders_redis, level="fsync", every_s=1)
    store.execute_command("ACL", "SETUSER", "default", "-config")
    assert await durability.check()
    assert "CONFIG is forbidden" in durability.notes[0]
    store.execute_command("ACL", "SETUSER", "default", "+config")
    store.config_set("maxmemory-policy", "allkeys-lru")
    store.execute_command("ACL", "SETUSER", "default", "-config")
    assert not await durability.check()


async def test_replicas_must_be_there_and_be_reached(
    serve: Serve, store: sync_redis.Redis, orders_server: Valkey, jobs_server: Valkey, orders_redis: Redis
) -> None:
    intake = await serve(durability="replicas:1", durability_check_s=0.1, replica_wait_ms=200)
    sale = await intake.open_sale()
    assert (await intake.post("sale")).status_code == 503
    with sync_redis.Redis.from_url(jobs_server.url) as replica:
        replica.config_set("primaryauth", _PASSWORD)
        replica.execute_command("REPLICAOF", "127.0.0.1", orders_server.port)
        try:
            await turns(intake, 202)
            length = await orders_redis.xlen(keys.stream(sale["sale_number"], 0))
            assert replica.xlen(keys.stream(sale["sale_number"], 0)) == length, "the 202 waited for the replica"
        finally:
            replica.execute_command("REPLICAOF", "NO", "ONE")
            replica.flushall()
    await turns(intake, 503)


async def test_without_replicas_nothing_is_even_tried(
    serve: Serve, store: sync_redis.Redis, orders_redis: Redis
) -> None:
    intake = await serve(durability="replicas:1", durability_check_s=300, replica_wait_ms=20)
    sale = await intake.open_sale()
    assert (await intake.post("sale", key="k")).json()["code"] == "store_unavailable"
    assert await orders_redis.xlen(keys.stream(sale["sale_number"], 0)) == 0


async def test_a_store_that_was_away_is_asked_again_soon(orders_redis_url: str) -> None:
    """A check that meets a short outage must not refuse orders until the next one is due."""
    with Proxy(orders_redis_url) as network:
        client = plain_client(network.url, timeout_s=1.0)
        durability = Durability(client, level="fsync", every_s=300)
        network.cut()
        assert not await durability.check()
        checking = asyncio.create_task(durability.keep_checking())
        try:
            network.mend()
            await eventually(lambda: asyncio.sleep(0, not durability.faults), what="the store to be found durable")
        finally:
            await end(checking)
            await client.aclose()
