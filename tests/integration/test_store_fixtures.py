"""The fixtures keep their word: a database a test, empty Redis servers, nothing but the loopback."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.network import NotLoopbackError
from tests.fixtures.pausing import paused
from tests.fixtures.turns import Watch
from tests.fixtures.valkey_sentinel import SERVICE, Watched

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection, Pool
    from doorbuster.settings import Settings


@pytest.mark.parametrize("again", [1, 2])
async def test_each_test_has_a_database_of_its_own(db: Connection, again: int) -> None:
    await db.execute("create table left_behind (n integer)")
    assert await db.fetchval("select count(*) from products") == 0


@pytest.mark.parametrize("again", [1, 2])
async def test_redis_is_empty(orders_redis: Redis, jobs_redis: Redis, again: int) -> None:
    assert await orders_redis.set("left", "behind", nx=True)
    assert await jobs_redis.set("left", "behind", nx=True)


async def test_the_order_store_is_durable(orders_redis: Redis) -> None:
    config = await orders_redis.config_get("*")
    assert config["appendfsync"] == "always"
    assert config["maxmemory-policy"] == "noeviction"
    assert config["no-appendfsync-on-rewrite"] == "no"


async def test_pool_and_settings_name_the_same_database(pool: Pool, settings: Settings) -> None:
    name = await pool.fetchval("select current_database()")
    assert f"/{name}?" in settings.database_url.get_secret_value()


def test_other_machines_are_out_of_reach() -> None:
    with pytest.raises(NotLoopbackError), socket.create_connection(("192.0.2.1", 80), timeout=1):
        pass
    with pytest.raises(NotLoopbackError):
        socket.getaddrinfo("example.org", 80)


def test_sentinels_that_were_held_up_switch_soon_again(watched: Watched) -> None:
    with paused(*watched.sentinel_pids):
        time.sleep(2.3)  # more than two seconds: each finds that it was held up, and acts on nothing for a while
    former, watch = watched.primary(), Watch()
    watched.ask_sentinel("FAILOVER", SERVICE, "COORDINATED")
    assert watched.wait_taken_over(former) is not former
    assert watch.elapsed_s() < 15, "as if for the 30 s of the default"
