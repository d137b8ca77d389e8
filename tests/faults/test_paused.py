"""A work-horse paused past its lease: another takes over, and what the first wakes up to changes nothing."""

from __future__ import annotations

import os
import signal
import time

import psutil

from tests.fixtures.accounting import assert_every_202_is_accounted_for, assert_first_accepted_first_served
from tests.fixtures.facts import Facts, open_sale
from tests.fixtures.load import Load, post_orders
from tests.fixtures.pausing import paused
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
