"""A work-horse killed between its commit and what follows it: nothing is repeated, the rest is done later."""

from __future__ import annotations

import os
import signal

from tests.fixtures.accounting import assert_every_202_is_accounted_for
from tests.fixtures.facts import Facts, open_sale
from tests.fixtures.load import post_orders
from tests.fixtures.pausing import paused
from tests.fixtures.up import Running
from tests.fixtures.waiting import wait_until

ORDERS = 40


def test_killed_after_its_commit_it_repeats_nothing_and_the_stream_is_trimmed_later(
    running: Running, facts: Facts
) -> None:
    sale = open_sale(running, 30)
    store = running.pids("orders")
    with facts.locked(sale.products[0]):
        accepted = post_orders(running.base, sale.sale_id, sale.products[0], range(ORDERS))
        horse = facts.wait_stuck(f"drain:{sale.number}:0")
        os.kill(store[0], signal.SIGSTOP)
    # The lock is free: the batch commits, and what follows waits for an order store that will never have heard of it.
    facts.wait_drained(sale, 0)
    with paused(*running.pids("worker")), facts.store() as client:
        os.kill(horse, signal.SIGKILL)
        running.kill("orders")
        running.wait_replaced("orders", store)
        running.wait_ready()
        assert client.xlen(sale.stream) == ORDERS, "entries that are worked off are still there"
        assert client.hget(sale.gate, "drained") != str(ORDERS)
    with facts.store() as client:
        facts.wait_drained(sale, ORDERS - 1)
        wait_until(lambda: client.xlen(sale.stream) == 0, what="the stream to be trimmed")
        assert client.hget(sale.gate, "drained") == str(ORDERS)
    row = facts.rows("select drained, repeated from stream_cursors where sale_number = $1", sale.number)[0]
    assert tuple(row) == (ORDERS, 0)
    assert_every_202_is_accounted_for(running, accepted)
