"""Limits on people hold whatever accounts they make, between orders, partitions and whoever else counts at the time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest

from db import sales
from db.orders import identities, transitions
from db.sales import SaleProduct
from db.work import people_counts
from doorbuster.values.identities import KINDS
from workers.drain import people_reading

if TYPE_CHECKING:
    from db.connections.pool import Pool
    from doorbuster.orderstore.entry import OrderEntry
    from tests.fixtures.intake import Intake
    from tests.fixtures.shop import Shop

LIMITS = {"limit_per_customer": 4, "limit_email": 3, "limit_card": 3, "limit_address": 5, "limit_device": 2}
MOST = tuple(LIMITS[f"limit_{kind}"] for kind in KINDS)
PARTITIONS = 4


def named(kind: int, number: int) -> bytes:
    return bytes((kind,)) * 12 + number.to_bytes(4, "big")


def bought_by(shop: Shop, customer: str, people: dict[int, int], key: str, **lines: int) -> OrderEntry:
    packed = b"".join(bytes((kind,)) + named(kind, who) for kind, who in sorted(people.items()))
    return msgspec.structs.replace(shop.entry(customer, key=key, **lines), identities=packed or None)


async def _accept_mixed(shop: Shop, chance: random.Random, orders: int) -> None:
    """Orders of few customers that share any of few e-mails, cards, addresses and devices, in all partitions."""
    for number in range(PARTITIONS):
        mine = []
        for n in range(orders):
            kinds = chance.sample(range(1, 5), chance.randint(0, 4))
            people = {kind: chance.randint(1, 12) for kind in kinds}
            lines = {one: chance.randint(1, 2) for one in chance.sample(("lamp", "rug"), chance.randint(1, 2))}
            mine.append(bought_by(shop, f"c{chance.randint(1, 25)}", people, f"{number}-{n}", **lines))
        await shop.accept(*mine, partition=number)


async def _decisions(shop: Shop) -> list[tuple[bool, str, bytes, dict[str, int]]]:
    """Return (reserved, customer, identities, units) of each order, in the order in which they were decided."""
    rows = await shop.db.fetch(
        "select o.status::text, o.customer_id, coalesce(o.identities, '') as people,"
        " (select jsonb_object_agg(product_id, quantity) from order_lines l where l.order_id = o.order_id) as lines"
        " from orders o join order_events e on e.order_id = o.order_id and e.seq = 1 order by e.position"
    )
    return [(row[0] == "pending", row[1], row[2], row[3]) for row in rows]


@pytest.mark.parametrize(("seed", "page"), [(1, people_counts.PAGE), (2, 3), (3, people_counts.PAGE)])
async def test_racing_orders_that_share_anything_are_decided_as_one_by_one(
    shop: Shop, seed: int, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_counts, "PAGE", page)  # with a small one all are far behind all the time
    await shop.stock(lamp=10_000, rug=10_000)
    await shop.open_sale(*(SaleProduct(product_id=one, **LIMITS) for one in ("lamp", "rug")), partitions=PARTITIONS)
    await _accept_mixed(shop, random.Random(seed), 120)
    await asyncio.gather(*(shop.drain(number, drain_batch_max=7) for number in range(PARTITIONS)))
    had: Counter[tuple[str, str | bytes]] = Counter()
    decisions = await _decisions(shop)
    assert len(decisions) == 120 * PARTITIONS
    for reserved, customer, packed, lines in decisions:
        whose: list[tuple[str | bytes, int]] = [(customer, LIMITS["limit_per_customer"])]
        whose += [(packed[at + 1 : at + 17], MOST[packed[at] - 1]) for at in range(0, len(packed), 17)]
        fits = all(had[one, who] + units <= most for one, units in lines.items() for who, most in whose)
        assert reserved == fits
        if reserved:
            had.update({(one, who): units for one, units in lines.items() for who, _ in whose})
    assert 0 < sum(reserved for reserved, *_ in decisions) < len(decisions)


async def test_control_who_counts_without_the_products_lock_lets_too_many_pass(shop: Shop, pool: Pool) -> None:
    """Negative control: the same statements, without the row that everyone who counts holds."""
    await shop.stock(lamp=100)
    number = await shop.open_sale(SaleProduct(product_id="lamp", limit_card=1))
    card, all_read = named(2, 1), asyncio.Barrier(3)

    async def one() -> bool:
        async with pool.acquire() as connection, connection.transaction():
            had = await people_counts.read(connection, number, [card])
            await all_read.wait()
            if had.get("lamp", {}).get(card, 0) + 1 > 1:
                return False
            await people_counts.add(connection, number, {"lamp": {card: 1}})
            return True

    assert sum(await asyncio.gather(*(one() for _ in range(3)))) > 1
    await shop.db.execute("delete from people_counts")  # the audit looks at every shop


async def test_control_a_drain_that_hears_of_no_other_lets_too_many_pass(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: a drain's own memory, that does not read what other partitions have counted."""

    async def hear_nothing(*_: object) -> None:
        """Leave the memory as it is."""

    monkeypatch.setattr(people_reading, "hear", hear_nothing)
    await shop.stock(lamp=100)
    await shop.open_sale(SaleProduct(product_id="lamp", limit_card=1), partitions=2)
    for number in range(2):
        await shop.accept(bought_by(shop, f"c{number}", {2: 1}, "1", lamp=1), partition=number)
        await shop.drain(number)
    assert await shop.db.fetchval("select count(*) from orders where status = 'pending'") == 2
    assert await shop.db.fetchval("select quantity from identity_purchases") == 2
    await shop.db.execute("update orders set identities = null")  # the audit looks at every shop
    await shop.db.execute("delete from people_counts")


async def test_what_is_cancelled_counts_no_more_while_others_drain(shop: Shop) -> None:
    """Cancellations and changes of the limits at the same time as the drains: the counts come out right."""
    await shop.stock(lamp=10_000, rug=10_000)
    await shop.open_sale(*(SaleProduct(product_id=one, **LIMITS) for one in ("lamp", "rug")), partitions=PARTITIONS)
    await _accept_mixed(shop, random.Random(5), 150)
    products = [SaleProduct(product_id=one, **LIMITS) for one in ("lamp", "rug")]

    async def cancel() -> None:
        for _ in range(15):
            rows = await shop.db.fetch("select order_id from orders where status = 'pending' order by random() limit 5")
            async with shop.db.transaction():
                await transitions.cancel_many(shop.db, [row["order_id"] for row in rows], reason="test")
                await asyncio.sleep(0)
            await sales.update_sale(shop.db, "sale-1", {"products": products})

    await asyncio.gather(*(shop.drain(number, drain_batch_max=11) for number in range(PARTITIONS)), cancel())
    assert await shop.db.fetchval("select count(*) from orders where reason = 'test'") > 0
    assert await shop.db.fetchval("select sum(quantity) from identity_purchases") > 0
    # The fixture's audit compares orders and counts.


async def test_a_limit_that_comes_later_counts_what_was_bought_before(shop: Shop) -> None:
    await shop.stock(lamp=100)
    await shop.open_sale("lamp")
    await shop.accept(*(bought_by(shop, f"c{n}", {2: 1, 4: n}, "1", lamp=1) for n in range(3)))
    await shop.drain()
    assert await shop.db.fetchval("select count(*) from identity_purchases") == 0
    await sales.update_sale(shop.db, "sale-1", {"products": [SaleProduct(product_id="lamp", limit_card=4)]})
    await shop.accept(*(bought_by(shop, f"d{n}", {2: 1, 4: n}, "1", lamp=1) for n in range(3)))
    await shop.drain()
    counted = await shop.db.fetch("select identity, quantity from identity_purchases")
    assert [tuple(row) for row in counted] == [(named(2, 1), 4)]
    refused = await shop.db.fetch("select refusal from orders where status = 'cancelled'")
    told = {"line": 1, "product_id": "lamp", "by": "card", "limit": 4, "had": 4}
    assert [row["refusal"] for row in refused] == [told, told]


async def test_a_card_that_the_provider_names_late_counts_like_any_other(shop: Shop, pool: Pool) -> None:
    await shop.stock(lamp=100)
    await shop.open_sale(SaleProduct(product_id="lamp", limit_card=3))
    ids = await shop.buy(*(f"c{n}" for n in range(8)), lamp=1)
    await shop.drain()

    async def late(order_id: UUID, card: str) -> bool:
        async with pool.acquire() as connection, connection.transaction():
            return await identities.count_card(connection, order_id, card) is None

    assert sum(await asyncio.gather(*(late(one, "fp_1") for one in ids))) == 3
    counted = [one for one in ids if await _has_card(shop, one)]
    assert len(counted) == 3
    assert await late(counted[0], "fp_1")
    assert await shop.db.fetchval("select sum(quantity) from identity_purchases") == 3
    refused = next(one for one in ids if one not in counted)
    assert not await late(refused, "fp_1")
    assert await late(refused, "fp_2")
    async with shop.db.transaction():
        await transitions.cancel_many(shop.db, counted[:1], reason="test")
    (other, *_) = [one for one in ids if not await _has_card(shop, one)]
    assert await late(other, "fp_1")


async def _has_card(shop: Shop, order_id: UUID) -> bool:
    found: Any = await shop.db.fetchval("select identities is not null from orders where order_id = $1", order_id)
    return bool(found)


async def test_a_ring_of_accounts_gets_what_its_cards_are_worth(shop: Shop, intake: Intake) -> None:
    """Two hundred accounts with an e-mail, an address and a device each, and five cards between them."""
    await intake.make_product("lamp", units=1000)
    body = {"sale_id": "sale", "products": [{"product_id": "lamp", "limits": {"customer": 2, "email": 2, "card": 4}}]}
    shop.sale_number = (await intake.ops.post("/ops/sales", json=body)).json()["sale_number"]
    answers = await asyncio.gather(
        *(
            intake.post(
                "sale", customer_id=f"ring-{n}", lines=[{"product_id": "lamp", "quantity": 1}],
                identities={
                    "email": f"ring+{n}@mail.example", "card": f"card{' ' * (n % 2)}{n % 5}", "device": f"d{n}",
                },
            )
            for n in range(200)
        )
    )  # fmt: skip
    assert {answer.status_code for answer in answers} == {202}
    await shop.drain(drain_batch_max=30)
    shown = [(await intake.http.get(f"/orders/{one.json()['order_id']}")).json() for one in answers[:20]]
    statuses = Counter(
        tuple(row) for row in await shop.db.fetch("select status::text, coalesce(reason, '') from orders")
    )
    assert statuses == {("pending", ""): 20, ("cancelled", "limit_exceeded"): 180}
    waited = await intake.post(
        "sale", customer_id="honest", lines=[{"product_id": "lamp", "quantity": 1}], identities={"card": "card-1"}
    )
    await shop.drain()
    last = (await intake.http.get(f"/orders/{waited.json()['order_id']}")).json()
    assert (last["status"], last["reason"], last["refusal"]) == (
        "cancelled", "limit_exceeded",
        {"line": 1, "product_id": "lamp", "by": "card", "limit": 4, "had": 4},
    )  # fmt: skip
    assert "pending" in {one["status"] for one in shown}
