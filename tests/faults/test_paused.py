"""A work-horse paused past its lease: another takes over, and what the first wakes up to changes nothing."""

from __future__ import annotations

import os
import signal
import time

import psutil

from tests.fixtures.accounting import assert_every_202_is_accounted_for, assert_first_accepted_first_served
from tests.fixtures.facts import Facts, open_sale
from tests.fixtures.load import Accepted, Load, order_body, post_order, post_orders
from tests.fixtures.pausing import paused
from tests.fixtures.turns import Watch
from tests.fixtures.up import Running
from tests.fixtures.waiting import wait_until

TAKEOVER_S = 10.0


def _wait_gone(pid: int) -> None:
    wait_until(lambda: not psutil.pid_exists(pid), what=f"the shift in {pid} to see that its lease is lost")


def test_a_work_horse_paused_past_its_lease_changes_nothing_when_it_wakes(running: Running, facts: Facts) -> None:
    sale = open_sale(running, 250)
    shift = f"drain:{sale.number}:0"
    with Load(running.base, sale.sale_id, sale.products, plain=True) as load:
        load.wait_for(60)
        horse = facts.wait_holder(shift)
        with paused(horse):
            stopped_at = time.monotonic()
            drained = facts.drained(sale)
            facts.wait_drained(sale, drained, within_s=TAKEOVER_S - (time.monotonic() - stopped_at))
            assert facts.wait_holder(shift, other_than=horse) != horse
        _wait_gone(horse)
    load.assert_well_answered()
    assert_every_202_is_accounted_for(running, load.accepted)
    assert_first_accepted_first_served(running, sale.sale_id)


def test_a_work_horse_paused_inside_its_transaction_does_not_keep_its_locks(running: Running, facts: Facts) -> None:
    sale = open_sale(running, 10)
    shift = f"drain:{sale.number}:0"
    with facts.locked(sale.products[0]):
        accepted = post_orders(running.base, sale.sale_id, sale.products[0], range(15))
        horse = facts.wait_stuck(shift)
        os.kill(horse, signal.SIGSTOP)
        stopped_at = time.monotonic()
    try:
        facts.wait_drained(sale, 14, within_s=TAKEOVER_S - (time.monotonic() - stopped_at))
    finally:
        os.kill(horse, signal.SIGCONT)
    _wait_gone(horse)
    accepted |= post_orders(running.base, sale.sale_id, sale.products[0], range(15, 20))
    assert_every_202_is_accounted_for(running, accepted)
    assert_first_accepted_first_served(running, sale.sale_id)
    served = facts.value("select reserved from stock where product_id = $1", sale.products[0])
    assert served == 10


def test_an_order_store_that_stands_still_is_refused_in_bounded_time(running: Running, facts: Facts) -> None:
    sale = open_sale(running, 100_000, 100_000)
    (store,) = running.pids("orders")
    with Load(running.base, sale.sale_id, sale.products) as load:
        load.wait_for(40)
        with paused(store):
            watch = Watch()
            answer = post_order(running.base, sale.sale_id, "meanwhile", order_body("someone", {sale.products[0]: 1}))
            assert answer is not None
            assert (answer.status, answer.body["code"], answer.retry_after) == (503, "store_unavailable", "1")
            assert watch.elapsed_s() < 3.0, "the store's time-out is one second"
            wait_until(lambda: len(load.seen.put_off) >= 4, what="orders to be put off")
        load.wait_for(40)
    load.assert_well_answered()
    # What it had taken before it stood still it took: the same key tells.
    accepted = load.accepted | _again(running, sale.sale_id, "meanwhile", "someone", sale.products[0])
    assert_every_202_is_accounted_for(running, accepted)
    assert facts.value("select repeated from stream_cursors where sale_number = $1", sale.number) == 0


def _again(running: Running, sale_id: str, key: str, customer: str, product: str) -> dict[str, Accepted]:
    body = order_body(customer, {product: 1})
    answer = post_order(running.base, sale_id, key, body)
    assert answer is not None
    assert answer.status == 202
    order = Accepted(answer.body["order_id"], sale_id, key, body, answer.body["accepted_at"])
    return {order.order_id: order}
