"""The accounting's own control: what these tests look for, they find when it is there."""

from __future__ import annotations

import pytest

from tests.fixtures.accounting import assert_audit, assert_every_202_is_accounted_for, wait_quiet
from tests.fixtures.facts import Facts, open_sale
from tests.fixtures.load import post_orders
from tests.fixtures.up import Running, Up


def test_a_wrong_ledger_an_order_out_of_turn_and_a_lost_one_are_found(up: Up) -> None:
    running = up()
    _a_wrong_ledger_and_an_order_out_of_turn(running, Facts(running))
    _a_lost_order(running, Facts(running))


def _a_wrong_ledger_and_an_order_out_of_turn(running: Running, facts: Facts) -> None:
    sale = open_sale(running, 100)
    accepted = post_orders(running.base, sale.sale_id, sale.products[0], range(10))
    assert_every_202_is_accounted_for(running, accepted)
    facts.rows("update stock set reserved = reserved - 1, sold = sold + 1")
    with pytest.raises(AssertionError, match="reserved"):
        assert_every_202_is_accounted_for(running, accepted)
    facts.rows("update stock set reserved = reserved + 1, sold = sold - 1")
    last, moved = (
        [*accepted][-1],
        "update orders set accepted_at = accepted_at + $2 * interval '1 hour' where order_id = $1",
    )
    facts.rows(moved, last, -1)
    with pytest.raises(AssertionError, match="decided out of turn"):
        assert_audit(running)
    facts.rows(moved, last, 1)
    assert_audit(running)


def _a_lost_order(running: Running, facts: Facts) -> None:
    sale = open_sale(running, 100)
    with facts.locked(sale.products[0]), facts.store() as store:
        accepted = post_orders(running.base, sale.sale_id, sale.products[0], range(5))
        facts.wait_stuck(f"drain:{sale.number}:0")
        # The drain holds the first five, and at most one more that it read ahead.
        accepted |= post_orders(running.base, sale.sale_id, sale.products[0], range(5, 10))
        last = store.xinfo_stream(sale.stream)["last-generated-id"]
        store.xadd(sale.stream, {"keeps": "the last id"})
        assert store.xdel(sale.stream, last) == 1
    wait_quiet(facts)
    with pytest.raises(AssertionError, match="1 of 10 accepted orders are gone"):
        assert_every_202_is_accounted_for(running, accepted)
