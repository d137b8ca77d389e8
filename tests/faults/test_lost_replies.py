"""An order store behind a bad network: whatever is lost on the way, a key makes one order and one entry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.accounting import assert_every_202_is_accounted_for
from tests.fixtures.facts import Facts, Sale, open_sale
from tests.fixtures.load import Accepted, Load, order_body, post_order, post_orders
from tests.fixtures.proxy import Proxy
from tests.fixtures.up import Running, Up
from tests.fixtures.waiting import wait_until


@pytest.fixture
def network(orders_redis_url: str) -> Iterator[Proxy]:
    """The way to the order store."""
    with Proxy(orders_redis_url) as proxy:
        yield proxy


@pytest.fixture
def running(up: Up, network: Proxy) -> Running:
    return up(env={"ORDERS_REDIS_URL": network.url})


def _wait_put_off(load: Load) -> None:
    before = len(load.seen.put_off)
    wait_until(lambda: len(load.seen.put_off) >= before + 4, what="orders to be put off")


def _entries(facts: Facts, sale: Sale) -> int:
    """Return how many entries the sale's stream was ever given."""
    with facts.store() as store:
        return int(store.xinfo_stream(sale.stream)["entries-added"])


def test_a_lost_accept_reply_sent_again_is_one_order(running: Running, network: Proxy) -> None:
    facts, sale = Facts(running), open_sale(running, 100)
    # The first call of a script to a new server is refused without being run; the one after is the one to lose.
    accepted = post_orders(running.base, sale.sale_id, sale.products[0], range(1))
    body = order_body("customer-whose-reply-is-lost", {sale.products[0]: 2})
    trap = network.lose_reply_to(b"customer-whose-reply-is-lost")
    first = post_order(running.base, sale.sale_id, "the-key", body)
    assert trap.sprung.is_set()
    assert first is not None
    assert (first.status, first.body["code"], first.retry_after) == (503, "store_unavailable", "1")
    second = post_order(running.base, sale.sale_id, "the-key", body)
    assert second is not None
    assert (second.status, second.headers["idempotency-replayed"]) == (202, "true")
    changed = order_body("customer-whose-reply-is-lost", {sale.products[0]: 3})
    other = post_order(running.base, sale.sale_id, "the-key", changed)
    assert other is not None
    assert (other.status, other.body["code"]) == (422, "idempotency_conflict")
    order = Accepted(second.body["order_id"], sale.sale_id, "the-key", body, second.body["accepted_at"])
    assert_every_202_is_accounted_for(running, accepted | {order.order_id: order})
    assert _entries(facts, sale) == 2


def test_resets_delays_and_cuts_repeat_nothing(running: Running, network: Proxy) -> None:
    facts, sale = Facts(running), open_sale(running, 100_000, 100_000, 150)
    with Load(running.base, sale.sale_id, sale.products) as load:
        load.wait_for(40)
        for _ in range(3):
            network.reset()
            load.wait_for(20)
        network.delay(1.3)  # longer than the intake waits: every order is taken and none is answered
        _wait_put_off(load)
        network.mend()
        load.wait_for(20)
        network.cut(reset=True)
        _wait_put_off(load)
        network.mend()
        load.wait_for(40)
    load.assert_well_answered()
    assert load.seen.put_off
    assert {answer.body["code"] for answer in load.seen.put_off} == {"store_unavailable"}
    assert_every_202_is_accounted_for(running, load.accepted)
    assert _entries(facts, sale) == len(load.accepted)
    assert facts.value("select repeated from stream_cursors where sale_number = $1", sale.number) == 0
