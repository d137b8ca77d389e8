"""A sale that takes no money: its orders are confirmed by the drain, and nobody is asked for anything."""

from __future__ import annotations

import asyncio

from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop


async def test_an_order_is_confirmed_at_once_with_both_of_its_events(shop: Shop) -> None:
    await shop.stock(lamp=2)
    await shop.open_sale("lamp", payment="none")
    ids = await shop.buy("ada", "bob", "cyd", lamp=1)
    await shop.drain()
    assert await shop.statuses(ids) == ["confirmed", "confirmed", "cancelled:sold_out"]
    events = await shop.db.fetch("select seq, status::text, reason from order_events order by position")
    assert [tuple(row) for row in events] == [
        (1, "pending", None), (2, "confirmed", None), (1, "pending", None), (2, "confirmed", None),
        (1, "cancelled", "sold_out"),
    ]  # fmt: skip
    assert await shop.db.fetchval("select count(*) from reservations") == 0
    assert await shop.ledger("lamp") == (0, 2, 0)


async def test_prefer_wait_answers_with_the_confirmed_order(intake: Intake, shop: Shop) -> None:
    await intake.make_product(units=1)
    shop.sale_number = (await intake.open_sale(payment="none"))["sale_number"]
    waiting = asyncio.create_task(intake.post("sale", headers={"Prefer": "wait=10"}))
    await shop.drain_until(waiting)
    answer = await waiting
    assert (answer.status_code, answer.json()["status"], answer.json()["payment"]["status"]) == (
        201, "confirmed", "none",
    )  # fmt: skip
    assert [step["status"] for step in answer.json()["history"]] == ["pending", "confirmed"]
