"""Postgres fails over during a sale: writers find the promoted server, and what it lacks is drained again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.accounting import assert_every_202_is_accounted_for, wait_quiet
from tests.fixtures.facts import Facts, Sale, open_sale
from tests.fixtures.failover import Pair, pair
from tests.fixtures.load import Load
from tests.fixtures.up import Running, Up, doorbuster_here

FOUND_S = 12.0
"""Orders are drained again so soon after a promotion: the lease of a shift that died is 4 s."""


@pytest.fixture
def two() -> Iterator[Pair]:
    with pair() as made:
        yield made


class Sold:
    """A sale on an instance whose Postgres is a pair, and what is asked of either server."""

    def __init__(self, up: Up, two: Pair, **env: str) -> None:
        self.two = two
        self.running: Running = up(env={"DATABASE_URL": two.url} | env)
        self._ask_first()
        self.sale: Sale = open_sale(self.running, 100_000, 100_000, 100)

    def _ask_first(self) -> None:
        self.running.ready["urls"]["database"] = self.two.first.url
        self.facts = Facts(self.running)

    def load(self) -> Load:
        """Have orders posted until the block ends."""
        return Load(self.running.base, self.sale.sale_id, self.sale.products)

    def lose(self, load: Load) -> int:
        """Have orders drained that the second server does not learn of; return how many."""
        asyncio.run(self.two.caught_up())
        asyncio.run(self.two.second.lose_what_comes())
        drained = self.facts.drained(self.sale)
        load.wait_for(100)
        self.facts.wait_drained(self.sale, drained + 40)
        of_sale = "select sum(drained) from stream_cursors where sale_number = $1"
        known = asyncio.run(self.two.second.ask(of_sale, self.sale.number))
        return self.facts.drained(self.sale) - int(known or 0)

    def promote(self) -> float:
        """Promote the second, and wait until orders are drained there; return how many seconds that took."""
        asyncio.run(self.two.second.promote())
        began = time.monotonic()
        self.running.ready["urls"]["database"] = self.two.second.url
        self.facts = Facts(self.running)
        self.facts.wait_drained(self.sale, self.facts.drained(self.sale), within_s=FOUND_S)
        return time.monotonic() - began

    def servers(self) -> dict[str, Any]:
        """Return what readiness says of Postgres."""
        shown: dict[str, Any] = self.running.ops.get("/readyz").json()["checks"]["postgres"]
        return shown

    def logs(self) -> str:
        """Return what all processes have logged."""
        return "".join(path.read_text() for path in (self.running.data / "logs").glob("*.log"))

    def audit(self) -> tuple[int, str]:
        """Return the exit code of an audit, and its words."""
        done = doorbuster_here("audit", "--data", self.running.data)
        return done.returncode, done.stdout + done.stderr


@pytest.mark.soak
def test_commits_that_were_lost_are_drained_again_with_the_same_ids(up: Up, two: Pair) -> None:
    sold = Sold(up, two, STREAM_KEEP_S="300")
    with sold.load() as load:
        load.wait_for(40)
        sold.facts.wait_drained(sold.sale, 20)
        lost = sold.lose(load)
        two.first.kill()
        sold.promote()
        load.wait_for(40)
    load.assert_well_answered()
    assert lost > 0, "nothing was lost: the test shows nothing"
    assert_every_202_is_accounted_for(sold.running, load.accepted)
    assert "their entries are drained again" in sold.logs()
    shown = sold.servers()
    assert (shown["ok"], shown["timeline"], "notes" in shown) == (True, 2, False)
    assert {one["role"] for one in shown["servers"]} == {"away", "primary"}


@pytest.mark.soak
def test_without_kept_entries_the_audit_finds_what_was_lost(up: Up, two: Pair) -> None:
    """The negative control: entries that are trimmed at once cannot be drained again, and that is told."""
    sold = Sold(up, two, STREAM_KEEP_S="0")
    assert "STREAM_KEEP_S" in sold.servers()["notes"][0]
    with sold.load() as load:
        load.wait_for(40)
        sold.facts.wait_drained(sold.sale, 20)
        assert sold.lose(load) > 0
        two.first.kill()
        sold.promote()
    wait_quiet(sold.facts)
    code, words = sold.audit()
    assert code == 1, words
    assert "BROKEN" in next(line for line in words.splitlines() if "entries the order store accepted" in line)
    assert "orders are lost" in sold.logs()


@pytest.mark.soak
def test_one_that_hangs_is_replaced_and_stays_so_when_it_comes_back(up: Up, two: Pair) -> None:
    sold = Sold(up, two, STREAM_KEEP_S="300")
    with sold.load() as load:
        load.wait_for(60)
        sold.facts.wait_drained(sold.sale, 20)
        asyncio.run(two.caught_up())
        two.first.hang()
        took_s = sold.promote()
        two.first.go_on()
        written = "select sum(drained) from stream_cursors"
        before = asyncio.run(two.first.ask(written))
        load.wait_for(150)
        assert asyncio.run(two.first.ask(written)) == before, "the old primary was written to"
    load.assert_well_answered()
    assert_every_202_is_accounted_for(sold.running, load.accepted)
    assert {one["role"] for one in sold.servers()["servers"]} == {"replaced", "primary"}
    assert sold.audit()[0] == 0
    assert took_s < FOUND_S


@pytest.mark.soak
def test_a_process_that_begins_while_only_the_old_one_answers_writes_nothing(up: Up, two: Pair) -> None:
    """Its successor is away when the process begins: it knows of it by what others left in the order store."""
    sold = Sold(up, two)
    with sold.load() as load:
        load.wait_for(40)
        asyncio.run(two.caught_up())
        two.first.hang()
        sold.promote()
        load.wait_for(20)
        two.second.hang()
        two.first.go_on()
        written = "select sum(drained) from stream_cursors"
        before = asyncio.run(two.first.ask(written))
        for role in ("intake", "worker", "scheduler"):
            sold.running.wait_replaced(role, sold.running.kill(role))
        load.wait_for(0)
        time.sleep(5)  # nothing is waited for: nothing must happen
        assert asyncio.run(two.first.ask(written)) == before, "the old primary was written to"
        two.second.go_on()
        sold.facts.wait_drained(sold.sale, sold.facts.drained(sold.sale), within_s=30)
    assert_every_202_is_accounted_for(sold.running, load.accepted)


@pytest.mark.soak
def test_a_synchronous_standby_lacks_nothing_that_was_acknowledged(up: Up) -> None:
    with pair() as two:
        asyncio.run(two.make_synchronous())
        sold = Sold(up, two, STREAM_KEEP_S="300")
        with sold.load() as load:
            load.wait_for(40)
            sold.facts.wait_drained(sold.sale, 20)
            asyncio.run(two.second.lose_what_comes())
            load.wait_for(60)  # commits hang from here on: they are unknown, and on the first for all that
            two.first.kill()
            sold.promote()
            load.wait_for(40)
        load.assert_well_answered()
        assert_every_202_is_accounted_for(sold.running, load.accepted)
        assert "their entries are gone" not in sold.logs()
