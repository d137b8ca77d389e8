"""What is accepted is bounded in bytes: a store that is nearly full takes no new orders, and goes on with the rest."""

from __future__ import annotations

from redis.asyncio import Redis

from tests.fixtures.intake import Serve
from tests.fixtures.waiting import eventually

MIB = 2**20


async def test_a_store_that_is_nearly_full_takes_no_new_orders(serve: Serve, orders_redis: Redis) -> None:
    intake = await serve(order_store_max_mb=64)
    await intake.open_sale()
    accepted = await intake.post("sale", key="first")
    assert accepted.status_code == 202
    await orders_redis.set("ballast", b"x" * 60 * MIB)

    async def refused() -> bool:
        answer = await intake.post("sale")
        if answer.json().get("code") != "overloaded":  # a store that takes in so much may be late for one
            return False
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        return True

    await eventually(refused)
    replayed = await intake.post("sale", key="first")
    assert (replayed.status_code, replayed.content) == (202, accepted.content)
    ready = await intake.http.get("/readyz")
    assert ready.status_code == 503
    assert "is full" in ready.json()["checks"]["orders_store"]["reason"]
    await orders_redis.delete("ballast")

    async def taken() -> bool:
        return (await intake.post("sale")).status_code == 202

    await eventually(taken)
    assert (await intake.http.get("/readyz")).status_code == 200


async def test_a_store_that_nothing_bounds_is_noted(serve: Serve, orders_redis: Redis) -> None:
    unbounded = await serve()

    async def noted() -> bool:
        check = (await unbounded.http.get("/readyz")).json()["checks"]["orders_store"]
        return bool(check["ok"] and "nothing bounds the memory" in str(check.get("notes")))

    await eventually(noted)
    bounded = await serve(order_store_max_mb=1024)
    assert "notes" not in (await bounded.http.get("/readyz")).json()["checks"]["orders_store"]
