"""Callbacks with real processes: twice, late, out of order and untrue, they change nothing but when we look."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import pytest

from tests.fixtures.callbacks import SIMULATED_SECRET, signed_as_standard, simulated_event
from tests.fixtures.paying import end_action
from tests.fixtures.up import Running, instance
from tests.fixtures.waiting import wait_until

T = TypeVar("T")
CLAIMS = ("requires_action", "authorised", "captured", "voided", "failed", "something.new")

_keys = itertools.count()


@pytest.fixture(scope="module")
def shop() -> Iterator[Running]:
    """An instance with a sale whose holds last, and one whose holds end at once and are not made longer."""
    # Every callback is to be taken, however late a store of a busy machine answers.
    told = {"PAYMENT_WEBHOOK_SECRET": SIMULATED_SECRET, "PAYMENT_TIMEOUT_S": "1", "STORE_TIMEOUT_S": "10"}
    with instance(env=told) as running:
        lamp = {"name": "Lamp", "brand": "Lux", "category": "Light", "price": 100, "currency": "EUR"}
        running.ops.put("/ops/products/lamp", json=lamp).raise_for_status()
        running.ops.post("/ops/products/lamp/stock", json={"receive": 100}).raise_for_status()
        for sale_id, hold_s, extension_s in (("long", 600, 600), ("short", 1, 0)):
            terms = {"hold_s": hold_s, "hold_extension_s": extension_s, "products": [{"product_id": "lamp"}]}
            running.ops.post("/ops/sales", json={"sale_id": sale_id} | terms).raise_for_status()
        yield running


def order(shop: Running, token: str, *, sale: str = "long") -> UUID:
    body = {"customer_id": "ada", "lines": [{"product_id": "lamp", "quantity": 1}], "payment": {"token": token}}
    headers = {"Idempotency-Key": f"cart-{next(_keys)}"}
    sent = lambda: shop.http.post(f"/sales/{sale}/orders", json=body, headers=headers)  # noqa: E731
    taken = wait_until(lambda: (answer := sent()).status_code == 202 and answer, what="the order to be accepted")
    assert taken is not False
    return UUID(taken.json()["order_id"])


def shown(shop: Running, order_id: UUID) -> dict[str, Any]:
    view: dict[str, Any] = shop.http.get(f"/orders/{order_id}").json()
    return view


def becomes(shop: Running, order_id: UUID, status: str, payment: str) -> dict[str, Any]:
    def as_wanted() -> dict[str, Any] | None:
        view = shown(shop, order_id)
        return view if (view["status"], view["payment"]["status"]) == (status, payment) else None

    seen = wait_until(as_wanted, within_s=30, what=f"{order_id} to be {status}, {payment}")
    assert seen is not None
    return seen


def tell(shop: Running, order_id: UUID, claim: str) -> int:
    body = simulated_event(order_id, claim if claim.startswith("action.") else f"payment.{claim}")
    answer = shop.http.post("/payments/simulated/events", content=body, headers=signed_as_standard(body))
    return answer.status_code


def in_database(shop: Running, do: Callable[[asyncpg.Connection[asyncpg.Record]], Awaitable[T]]) -> T:
    async def done() -> T:
        connection = await asyncpg.connect(shop.ready["urls"]["database"])
        try:
            return await do(connection)
        finally:
            await connection.close()

    return asyncio.run(done())


def act(shop: Running, order_id: UUID, *, succeeds: bool = True) -> None:
    """Do as the shopper what the provider asks for."""
    assert in_database(shop, lambda connection: end_action(connection, order_id, succeeds=succeeds))


def look_only_when_told(shop: Running, order_id: UUID) -> None:
    """Let the settle shift not look by itself for longer than the test lasts."""
    later = "update reservations set due_at = clock_timestamp() + interval '5 min' where order_id = $1"
    in_database(shop, lambda connection: connection.execute(later, order_id))


def all_looked_up(shop: Running, order_id: UUID) -> None:
    """Wait until the provider was asked for what it has, and nothing is left to be asked."""
    asked = "select state from payment_operations where order_id = $1 and kind = 'look_up'"

    def states() -> set[str]:
        return {row["state"] for row in in_database(shop, lambda connection: connection.fetch(asked, order_id))}

    wait_until(lambda: states() == {"done"}, what="the look-ups to be done")


def steps(view: dict[str, Any]) -> list[str]:
    return [step["status"] for step in view["history"]]


@pytest.mark.parametrize(
    ("succeeds", "status", "payment"), [(True, "confirmed", "captured"), (False, "cancelled", "failed")]
)
def test_a_callback_ends_the_waiting_for_the_shopper(shop: Running, succeeds: bool, status: str, payment: str) -> None:
    order_id = order(shop, "action")
    view = becomes(shop, order_id, "pending", "requires_action")
    assert view["payment"]["next_action"]
    look_only_when_told(shop, order_id)
    act(shop, order_id, succeeds=succeeds)
    assert tell(shop, order_id, "captured" if succeeds else "failed") == 200
    assert steps(becomes(shop, order_id, status, payment)) == ["pending", status]


def test_what_a_callback_claims_is_not_believed(shop: Running) -> None:
    order_id = order(shop, "action")
    before = becomes(shop, order_id, "pending", "requires_action")
    look_only_when_told(shop, order_id)
    for claim in ("captured", "authorised", "voided", "failed", "something.new"):
        assert tell(shop, order_id, claim) == 200
        all_looked_up(shop, order_id)
        after = shown(shop, order_id)
        assert (after["status"], after["payment"]) == ("pending", before["payment"])
    assert tell(shop, order_id, "action.succeeded") == 200
    becomes(shop, order_id, "confirmed", "captured")


def test_twice_late_and_out_of_order_they_change_nothing(shop: Running) -> None:
    confirmed, declined = order(shop, "tok_visa"), order(shop, "tok_decline")
    views = [becomes(shop, confirmed, "confirmed", "captured"), becomes(shop, declined, "cancelled", "failed")]
    told = [(order_id, claim) for order_id in (confirmed, declined) for claim in CLAIMS] * 5
    random.Random(7).shuffle(told)
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda one: tell(shop, *one), told)) == {200}
    for order_id, before in zip((confirmed, declined), views, strict=True):
        all_looked_up(shop, order_id)
        after = shown(shop, order_id)
        assert (after["status"], after["payment"], after["history"]) == (
            before["status"], before["payment"], before["history"],
        )  # fmt: skip


def test_a_callback_after_the_hold_ended_brings_nothing_back(shop: Running) -> None:
    order_id = order(shop, "action", sale="short")
    view = becomes(shop, order_id, "cancelled", "voided")
    assert view["reason"] == "hold_expired"
    assert tell(shop, order_id, "captured") == 200
    all_looked_up(shop, order_id)
    assert shown(shop, order_id) == view
