"""Shadows wait for sales, and only while a sale takes orders; how long sales' orders took is told as it was."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from doorbuster.orderstore.accept import AcceptScript, Candidate
from doorbuster.values.shadows import SHADOWS_FROM
from intake.accepting import group_commit, live_first
from intake.accepting.group_commit import PartitionCommit
from intake.accepting.live_first import ENOUGH, LIVE_S, SHADOW_MAX, LiveFirst
from tests.fixtures.waiting import eventually
from tests.unit.intake.accepting.test_group_commit import Store, Watch, turns

SALE, SHADOW = 1, SHADOWS_FROM


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def first(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> LiveFirst:
    monkeypatch.setattr(live_first, "GATHER_S", 0.0)
    monkeypatch.setattr(live_first, "RIDE_S", 60.0)
    return LiveFirst(clock)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()
    monkeypatch.setattr(group_commit, "Link", made.link)
    return made


def commit(store: Store, number: int, first: LiveFirst) -> PartitionCommit:
    return PartitionCommit(cast("AcceptScript", store), number, 0, cast("object", None), Watch(), first)  # type: ignore[arg-type]


async def submit(to: PartitionCommit, orders: int) -> None:
    for _ in range(orders):
        to.submit(Candidate("key", b"", b"", None, lambda _candidate, _verdict: None))
    await turns()


async def test_without_a_sale_a_shadow_goes_as_a_sale_does(store: Store, first: LiveFirst) -> None:
    await submit(commit(store, SHADOW, first), 40)
    assert [orders for orders, _ in store.calls] == [40]
    store.answer()
    await turns()


async def test_while_a_sale_takes_orders_a_shadow_goes_right_behind_a_batch_of_it(
    store: Store, first: LiveFirst
) -> None:
    sale, shadow = commit(store, SALE, first), commit(store, SHADOW, first)
    await submit(sale, 3)
    await submit(shadow, 40)
    assert [orders for orders, _ in store.calls] == [3], "it waits for a batch of the sale to go with"
    store.answer()
    await submit(sale, 5)
    assert [orders for orders, _ in store.calls] == [5, SHADOW_MAX], "behind it, and not more than the sale can bear"
    assert (first.batches, first.behind) == (2, 0)
    store.answer()
    await submit(sale, 1)
    assert [orders for orders, _ in store.calls] == [SHADOW_MAX, 1], "one of a shadow at a time"
    assert first.behind == 1, "this one went while the shadow's was out"
    while store.calls:
        store.answer()
        await turns()


async def test_a_sale_that_falls_silent_holds_up_no_shadow(
    store: Store, first: LiveFirst, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_first, "RIDE_S", 0.0)
    sale, shadow = commit(store, SALE, first), commit(store, SHADOW, first)
    await submit(sale, 1)
    store.answer()
    await submit(shadow, 2)
    await eventually(lambda: asyncio.sleep(0, bool(store.calls)), what="the shadow's batch to go alone")
    assert store.answer() == 2, "none came to go with"
    clock.now += LIVE_S
    assert not first.is_live
    await submit(shadow, 40)
    assert [orders for orders, _ in store.calls] == [40]
    store.answer()
    await turns()


async def test_shadows_of_several_partitions_go_one_after_another(store: Store, first: LiveFirst) -> None:
    sale, shadows = commit(store, SALE, first), [commit(store, SHADOW, first) for _ in range(3)]
    await submit(sale, 1)
    for shadow in shadows:
        await submit(shadow, 4)
    for _ in range(3):
        await submit(sale, 8)
        assert sum(orders == 4 for orders, _ in store.calls) == 1
        while store.calls:
            store.answer()
            await turns()


def test_the_slowest_in_a_hundred_is_told_of_full_seconds(first: LiveFirst, clock: Clock) -> None:
    for _ in range(10):
        first.live_came(97, 0.004)
        first.live_came(3, 0.050)
        clock.now += 1
    told = first.accepting(last_s=10)
    assert told.orders == 1_000
    assert told.p99_ms == pytest.approx(50, rel=0.02)
    first.live_came(10_000, 9.0)
    assert first.accepting(last_s=10) == told, "the second that runs is not over"
    clock.now += 11
    assert first.accepting(last_s=10).p99_ms is None


def test_of_a_few_orders_no_slowest_is_told(first: LiveFirst, clock: Clock) -> None:
    first.live_came(ENOUGH - 1, 0.004)
    clock.now += 1
    assert first.accepting(last_s=10) == (ENOUGH - 1, None)


@pytest.mark.parametrize("seconds", [0.0, 0.0011, 0.0042, 0.3, 30.0])
def test_the_scale_is_true_to_two_in_a_hundred(first: LiveFirst, clock: Clock, seconds: float) -> None:
    first.live_came(1_000, seconds)
    clock.now += 1
    assert first.accepting(last_s=1).p99_ms == pytest.approx(seconds * 1000, rel=0.02, abs=0.02)
