"""Postgres away or restarted mid-batch: the intake goes on accepting for sales it knows, the drain resumes in order."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.fixtures.accounting import assert_every_202_is_accounted_for, assert_first_accepted_first_served
from tests.fixtures.facts import Facts, open_sale
from tests.fixtures.load import Load
from tests.fixtures.proxy import Proxy
from tests.fixtures.up import Running, Up

TAKEOVER_S = 10.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["fast shutdown", "killed"])
def test_restarted_inside_a_batch_the_drain_goes_on_in_order(
    running: Running, facts: Facts, number: signal.Signals
) -> None:
    sale = open_sale(running, 300)
    with Load(running.base, sale.sale_id, sale.products, plain=True) as load:
        load.wait_for(40)
        facts.wait_drained(sale, 0)
        with facts.locked(sale.products[0]):
            facts.wait_stuck(f"drain:{sale.number}:0")
            former = running.kill("postgres", number)
            stopped_at = time.monotonic()
            running.wait_replaced("postgres", former)
        drained = facts.wait_drained(sale, -1)
        facts.wait_drained(sale, drained, within_s=TAKEOVER_S - (time.monotonic() - stopped_at))
    load.assert_well_answered()
    assert_every_202_is_accounted_for(running, load.accepted)
    assert_first_accepted_first_served(running, sale.sale_id)


@pytest.fixture
def network(database_url: str) -> Iterator[Proxy]:
    """The way to Postgres."""
    with Proxy(database_url) as proxy:
        yield proxy


def _refuses(network: Proxy) -> None:
    network.cut(reset=True)


def _hangs(network: Proxy) -> None:
    network.delay(60)


@pytest.mark.parametrize("goes_away", [_refuses, _hangs])
def test_while_postgres_is_away_known_sales_take_orders(
    up: Up, network: Proxy, goes_away: Callable[[Proxy], None]
) -> None:
    # A long time-out, so that an order that waited for Postgres is told from one that had to wait for a processor.
    running = up(env={"DATABASE_URL": network.url, "STORE_TIMEOUT_S": "5"})
    facts, sale = Facts(running), open_sale(running, 100_000, 100_000, 400)
    with Load(running.base, sale.sale_id, sale.products) as load:
        load.wait_for(40)
        facts.wait_drained(sale, 0)
        goes_away(network)
        load.seen.slowest_s = 0.0
        load.wait_for(250, within_s=20)
        assert load.seen.slowest_s < 2.5, "no order waits for Postgres"
        network.mend()
        network.reset()
        mended_at = time.monotonic()
        drained = facts.wait_drained(sale, -1)
        facts.wait_drained(sale, drained, within_s=TAKEOVER_S - (time.monotonic() - mended_at))
    load.assert_well_answered()
    assert not load.seen.put_off, load.seen.put_off[:3]
    assert_every_202_is_accounted_for(running, load.accepted)
