"""The order store loses its data, or has what is not ours in it: new orders are drained, old ones stay right."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from doorbuster.orderstore.entry import FIELD
from tests.fixtures.accounting import assert_every_202_is_accounted_for, wait_quiet
from tests.fixtures.facts import Facts, Sale, open_sale
from tests.fixtures.load import Accepted, Load, post_orders, replay
from tests.fixtures.up import Running

Lose = Callable[[Running, Facts, Sale], None]


def _delete_stream(running: Running, facts: Facts, sale: Sale) -> None:
    with facts.store() as store:
        store.delete(sale.stream)


def _flush(running: Running, facts: Facts, sale: Sale) -> None:
    with facts.store() as store:
        store.flushall()


def _replace(running: Running, facts: Facts, sale: Sale) -> None:
    """Kill the order store and take its files away."""
    shutil.rmtree(running.data / "redis" / "orders" / "appendonlydir")
    running.wait_replaced("orders", running.kill("orders"))
    running.wait_ready()


@pytest.mark.parametrize("lose", [_delete_stream, _flush, _replace])
def test_after_the_order_store_lost_its_data_orders_go_on(running: Running, facts: Facts, lose: Lose) -> None:
    sale = open_sale(running, 100_000, 100_000)
    with Load(running.base, sale.sale_id, sale.products) as before:
        before.wait_for(60)
    wait_quiet(facts)
    lose(running, facts, sale)
    with Load(running.base, sale.sale_id, sale.products) as after:
        after.wait_for(60)
    before.assert_well_answered()
    after.assert_well_answered()
    assert_every_202_is_accounted_for(running, before.accepted | after.accepted)


def test_the_stream_of_a_clock_that_went_back_is_drained_from_its_beginning(running: Running, facts: Facts) -> None:
    """A store replaced by one whose clock is behind gives ids below the cursor."""
    sale = open_sale(running, 100)
    accepted = post_orders(running.base, sale.sale_id, sale.products[0], range(20))
    wait_quiet(facts)
    with facts.store() as store:
        kept = store.xinfo_stream(sale.stream)["last-generated-id"]
        store.flushall()
    ahead = f"{int(kept.partition('-')[0]) + 86_400_000}-0"
    facts.rows("update stream_cursors set entry_id = $2 where sale_number = $1", sale.number, ahead)
    accepted |= post_orders(running.base, sale.sale_id, sale.products[0], range(20, 40))
    assert replay(running.base, accepted.values()) == []
    facts.wait_drained(sale, 59)
    assert_every_202_is_accounted_for(running, accepted)


def test_what_is_not_ours_on_the_stream_is_buried_and_holds_up_nobody(running: Running, facts: Facts) -> None:
    sale = open_sale(running, 100)
    accepted = _with_junk(running, facts, sale)
    assert_every_202_is_accounted_for(running, accepted)
    letters = facts.rows("select reason from dead_letters where sale_number = $1", sale.number)
    assert [row["reason"] for row in letters] == ["unreadable"] * 3


def _with_junk(running: Running, facts: Facts, sale: Sale) -> dict[str, Accepted]:
    accepted = post_orders(running.base, sale.sale_id, sale.products[0], range(5))
    with facts.store() as store:
        store.xgroup_create(sale.stream, "someone-else", id="0")
        store.xreadgroup("someone-else", "reader", {sale.stream: ">"}, count=1)
        store.xadd(sale.stream, {"other": "field"})
        store.xadd(sale.stream, {FIELD: b"\xc1 no MessagePack"})
        accepted |= post_orders(running.base, sale.sale_id, sale.products[0], range(5, 10))
        store.xadd(sale.stream, {FIELD: b"\x90"})
        store.xgroup_destroy(sale.stream, "someone-else")
    return accepted | post_orders(running.base, sale.sale_id, sale.products[0], range(10, 15))
