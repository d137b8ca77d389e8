"""The group commit's batches: when a second one goes beside the first, and that nobody is left waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorbuster.orderstore.accept import AcceptScript, Candidate, Terms
from intake.accepting import group_commit
from intake.accepting.group_commit import SECOND_MIN, PartitionCommit
from intake.accepting.verdicts import UNKNOWN

TERMS = Terms(
    ttl_ms=1, backlog_max=9, backlog_max_bytes=9, batch_max=40, replicas=0, replica_wait_ms=0, timeout_s=1
)  # fmt: skip


class Store:
    """Answers each call when it is told to, in the order in which they came; stands for the links too."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, asyncio.Future[list[bytes]]]] = []
        self.most_at_once = self.links = 0
        self.terms = TERMS

    async def run(self, batch: Sequence[Candidate]) -> list[bytes]:
        answer: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        self.calls.append((len(batch), answer))
        self.most_at_once = max(self.most_at_once, len(self.calls))
        return await answer

    async def close(self) -> None:
        self.links -= 1

    def link(self, _script: AcceptScript, _names: tuple[str, str]) -> Store:
        self.links += 1
        return self

    def answer(self, failure: Exception | None = None) -> int:
        """Answer the oldest call; return how many orders it had."""
        orders, waits = self.calls.pop(0)
        if failure is None:
            waits.set_result([b"+1-0"] * orders)
        else:
            waits.set_exception(failure)
        return orders


class Watch:
    def batch(self, verdicts: list[bytes], seconds: float) -> None:
        pass

    def accepted(self, place: tuple[int, int], batch: list[Candidate], verdicts: list[bytes]) -> None:
        pass


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()
    monkeypatch.setattr(group_commit, "Link", made.link)
    return made


class Commit:
    def __init__(self, store: Store) -> None:
        self.told: list[bytes] = []
        self.submitted = 0
        self._commit = PartitionCommit(cast("AcceptScript", store), 1, 0, cast("Any", None), Watch())

    async def submit(self, orders: int) -> None:
        """Have so many orders arrive in one turn of the loop."""
        for _ in range(orders):
            self.submitted += 1
            self._commit.submit(Candidate("key", b"", b"", None, lambda _, verdict: self.told.append(verdict)))
        await turns()


async def turns() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def test_what_arrives_in_one_turn_goes_in_one_batch(store: Store) -> None:
    commit = Commit(store)
    await commit.submit(20)
    assert [orders for orders, _ in store.calls] == [20]


async def test_a_second_batch_goes_once_it_is_worth_a_call(store: Store) -> None:
    commit = Commit(store)
    await commit.submit(2 * SECOND_MIN + 4)
    await commit.submit(SECOND_MIN)
    assert len(store.calls) == 1, "less than half of what is in flight"
    await commit.submit(2)
    assert [orders for orders, _ in store.calls] == [2 * SECOND_MIN + 4, SECOND_MIN + 2]
    await commit.submit(30)
    assert len(store.calls) == 2, "never a third"
    store.answer()
    await turns()
    assert [orders for orders, _ in store.calls] == [SECOND_MIN + 2, 30]


async def test_a_few_orders_wait_for_the_batch_before_them(store: Store) -> None:
    commit = Commit(store)
    await commit.submit(1)
    await commit.submit(SECOND_MIN - 1)
    assert [orders for orders, _ in store.calls] == [1]
    store.answer()
    await turns()
    assert [orders for orders, _ in store.calls] == [SECOND_MIN - 1]


async def test_who_waits_behind_a_batch_that_fails_is_told_with_it(store: Store) -> None:
    commit = Commit(store)
    await commit.submit(20)
    await commit.submit(12)
    await commit.submit(5)
    store.answer(OSError("away"))
    await turns()
    assert commit.told == [UNKNOWN] * 25
    store.answer(OSError("away"))
    await turns()
    assert commit.told == [UNKNOWN] * 37


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 60) | st.sampled_from(["answer", "fail"]), max_size=30))
def test_everybody_is_told_once_whatever_comes(acts: list[int | str]) -> None:
    async def run() -> None:
        store = Store()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(group_commit, "Link", store.link)
            commit = Commit(store)
            for act in acts:
                if isinstance(act, int):
                    await commit.submit(act)
                elif store.calls:
                    store.answer(OSError("away") if act == "fail" else None)
                    await turns()
            while store.calls:
                store.answer()
                await turns()
            assert len(commit.told) == commit.submitted
            assert store.most_at_once <= 2
            assert store.links == 0, "the connection is given back"

    asyncio.run(run())
