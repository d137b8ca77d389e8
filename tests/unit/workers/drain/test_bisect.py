"""Splitting a refused batch: the culprits alone are buried, the rest is written in order."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.drain import bisect
from workers.drain.batch import Entry, Outcome


def _run(entries: list[Entry], broken: set[str]) -> tuple[list[str], list[str], int]:
    """Commit with a database that refuses every batch with a broken entry; return (written, buried, attempts)."""
    written: list[str] = []
    buried: list[str] = []
    attempts = 0

    async def write(part: list[Entry]) -> Outcome:
        nonlocal attempts
        attempts += 1
        if any(entry.id in broken for entry in part):
            raise asyncpg.DataError("invalid byte sequence")
        written.extend(entry.id for entry in part)
        return Outcome(part[-1].id, 0)

    async def dead_letter(entry: Entry, detail: str) -> Outcome:
        assert "invalid byte sequence" in detail
        buried.append(entry.id)
        return Outcome(entry.id, 0)

    outcomes = asyncio.run(bisect.commit(entries, write=write, dead_letter=dead_letter))
    assert outcomes[-1].cursor == entries[-1].id
    return written, buried, attempts


@given(size=st.integers(1, 70), broken=st.sets(st.integers(0, 69)))
def test_only_the_broken_are_buried_and_order_is_kept(size: int, broken: set[int]) -> None:
    entries = [Entry(f"{n}-0", b"") for n in range(size)]
    wrong = {f"{n}-0" for n in broken if n < size}
    written, buried, _ = _run(entries, wrong)
    assert written == [entry.id for entry in entries if entry.id not in wrong]
    assert buried == [entry.id for entry in entries if entry.id in wrong]


def test_one_culprit_costs_few_transactions() -> None:
    _, buried, attempts = _run([Entry(f"{n}-0", b"") for n in range(1024)], {"700-0"})
    assert buried == ["700-0"]
    assert attempts <= 2 * 10 + 1


async def test_what_passes_by_itself_is_not_split() -> None:
    async def away(part: list[Entry]) -> Outcome:
        assert len(part) == 4
        raise asyncpg.ConnectionDoesNotExistError("connection was closed")

    async def dead_letter(entry: Entry, detail: str) -> Outcome:
        raise AssertionError("nothing here is broken")

    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await bisect.commit([Entry(f"{n}-0", b"") for n in range(4)], write=away, dead_letter=dead_letter)
