"""The bytes of a partition's backlog: what accepts and what drains agree on them, whoever dies or does not count."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
import pytest

from db.work.due_work import Partition
from doorbuster import keys
from doorbuster.orderstore import gate
from doorbuster.orderstore.accept import AcceptScript, Candidate, Link, Terms
from doorbuster.orderstore.entry import FIELD, TOTAL, OrderEntry, encode
from doorbuster.orderstore.partition import append_again
from doorbuster.redis_clients import accept_client
from intake.accepting import verdicts
from workers.drain.shift import Drain

if TYPE_CHECKING:
    from tests.fixtures.shop import Shop

MOST = 10_000
SIZE = 3_000
TERMS = Terms(
    ttl_ms=60_000, backlog_max=100, backlog_max_bytes=MOST, batch_max=100, replicas=0, replica_wait_ms=0, timeout_s=5
)


class Till:
    """A sale's partition, and the way of an intake into it."""

    def __init__(self, shop: Shop, link: Link) -> None:
        self.shop, self._link = shop, link
        self.gate, self.stream = keys.gate(shop.sale_number, 0), keys.stream(shop.sale_number, 0)

    def order(self, customer: str, size: int = SIZE) -> OrderEntry:
        """Make an order whose entry is about so large."""
        plain = self.shop.entry(customer, lamp=1)
        return msgspec.structs.replace(plain, metadata=b'"%s"' % (b"x" * size))

    async def accept(self, *customers: str, size: int = SIZE) -> list[bytes]:
        """Return the first byte of each order's verdict."""
        orders = [self.order(customer, size) for customer in customers]
        batch = [
            Candidate(
                keys.accepted(self.shop.sale_number, 0, order.order_id.hex()),
                order.fingerprint, encode(order), None, lambda _order, _verdict: None,
            )
            for order in orders
        ]  # fmt: skip
        return [verdict[:1] for verdict in await self._link.run(batch)]

    async def backlog(self) -> tuple[int, int]:
        """Return what the gate says: entries, and their bytes."""
        return gate.backlog_of(await self.shop.orders.hmget(self.gate, *gate.COUNTED))

    async def held(self) -> int:
        """Return the bytes of the orders that are in the stream."""
        return sum(len(fields[FIELD]) for _, fields in await self.shop.orders.xrange(self.stream))


@pytest.fixture
async def till(shop: Shop) -> AsyncIterator[Till]:
    """A sale that is open, with units for everybody."""
    await shop.stock(lamp=100)
    number = await shop.open_sale("lamp")
    shown = gate.Gate(sale_number=number, partition=0, version=1, phase="open", opens_ms=0, closes_ms=0, epoch=0)
    await gate.publish(shop.orders, shown)
    async with accept_client(shop.settings.orders_redis_url.get_secret_value(), timeout_s=5) as client:
        link = Link(AcceptScript(client, TERMS), (keys.gate(number, 0), keys.stream(number, 0)))
        yield Till(shop, link)
        await link.close()


NEW, FULL = verdicts.NEW, verdicts.BACKLOG


async def test_it_shuts_when_full_and_opens_when_drained(till: Till) -> None:
    assert await till.accept("a", "b", "c", "d") == [NEW, NEW, NEW, FULL]
    assert await till.accept("e", size=10) == [NEW]  # a small one still fits
    assert await till.backlog() == (4, await till.held())
    assert await till.held() <= MOST
    await till.shop.drain()
    assert await till.backlog() == (0, 0)
    assert await till.accept("d", "f", "g", "h") == [NEW, NEW, NEW, FULL]
    await till.shop.drain()


async def test_it_shuts_before_any_drain_ever_ran(till: Till) -> None:
    assert await till.accept("a", "b", "c") == [NEW] * 3
    assert await till.accept("d") == [FULL]
    await till.shop.drain()


async def test_a_drain_that_died_before_it_told_leaves_nothing_behind(till: Till) -> None:
    await till.shop.drain()
    await till.accept("a", "b")
    before = await till.shop.orders.hgetall(till.gate)
    await till.shop.drain(stream_keep_s=600)  # what is told and what goes is one step
    await till.shop.orders.delete(till.gate)
    await till.shop.orders.hset(till.gate, mapping=before)
    assert (await till.backlog())[0] == 2
    await till.shop.drain()
    assert await till.backlog() == (0, 0)


@pytest.mark.parametrize("keep_s", [0, 600])
async def test_a_drain_that_begins_tells_of_what_is_left(till: Till, keep_s: int) -> None:
    await till.accept("a", "b", "c")
    told: list[tuple[int, int]] = []
    left: list[int] = []
    place = Partition(till.shop.sale_number, 0)

    class Looking(Drain):
        async def begin(self) -> None:
            # As if a version before had told the entries alone.
            await till.shop.orders.hdel(till.gate, "told", "drained_bytes", "bytes_at")
            await super().begin()
            told.append(await till.backlog())
            left.append(sum(len(one[FIELD]) for _, one in (await till.shop.orders.xrange(till.stream))[-told[-1][0] :]))

    async def run(kind: type[Drain]) -> None:
        name = f"drain:{till.shop.sale_number}:0"
        await till.shop.run(name, lambda mine: kind(mine, place), drain_batch_max=1, stream_keep_s=keep_s)

    await run(_failing_after_one(Looking))
    assert [entries for entries, _ in told][:2] == [3, 2]
    assert [held for _, held in told[:2]] == left[:2]
    assert await till.backlog() == (0, 0)


def _failing_after_one(kind: type[Drain]) -> type[Drain]:
    failures = iter([True])

    class Failing(kind):  # type: ignore[valid-type,misc]
        async def step(self) -> int:
            done: int = await super().step()
            if next(failures, False):
                assert self._telling is not None
                await self._telling
                raise ConnectionResetError("cut")
            return done

    return Failing


async def test_entries_of_an_intake_that_does_not_count_weigh_nothing(till: Till) -> None:
    await till.accept("a")
    await till.shop.accept(till.order("old"), till.order("older"))
    assert (await till.backlog())[0] == 3
    assert await till.accept("b", "c", "d") == [NEW, NEW, FULL]
    await till.shop.accept(till.order("oldest"))
    await till.shop.drain(drain_batch_max=1)
    assert await till.backlog() == (0, 0)
    await till.shop.accept(till.order("last"))
    await till.shop.drain()
    assert await till.backlog() == (0, 0)


async def test_a_drain_that_does_not_count_shuts_nothing(till: Till) -> None:
    await till.accept("a", "b", "c")
    await till.shop.drain()
    await till.accept("d", "e", "f")
    assert await till.accept("g") == [FULL]
    await till.shop.orders.hset(till.gate, "drained", "4")  # what a worker of the version before says, and no more
    assert await till.accept("g") == [NEW]
    await till.shop.drain()
    assert await till.backlog() == (0, 0)
    assert await till.accept("h", "i", "j", "k") == [NEW, NEW, NEW, FULL]
    await till.shop.drain()


async def test_a_store_that_lost_its_last_second_goes_on_from_what_was_drained(till: Till) -> None:
    await till.accept("a", "b", "c")
    await till.shop.drain()
    await till.shop.orders.hset(till.gate, "accepted_bytes", "5")  # a replica that had not heard of the rest
    assert await till.accept("d", "e", "f", "g") == [NEW, NEW, NEW, FULL]
    assert (await till.backlog())[1] == await till.held()
    await till.shop.drain()
    assert await till.backlog() == (0, 0)


async def test_an_entry_that_is_appended_again_counts(till: Till) -> None:
    await till.accept("a")
    await append_again(till.shop.orders, (till.shop.sale_number, 0), encode(till.order("a")))
    assert await till.backlog() == (2, await till.held())
    await till.shop.drain()
    assert await till.backlog() == (0, 0)


@pytest.mark.parametrize("before", [10**9, 10**15])
async def test_large_numbers_are_written_out(till: Till, before: int) -> None:
    size = len(encode(till.order("a")))
    so_far = str(before - size)
    await till.shop.orders.hset(till.gate, mapping={"accepted_bytes": so_far, "drained_bytes": so_far})
    assert await till.accept("a", "b") == [NEW, NEW]
    entries = await till.shop.orders.xrange(till.stream)
    assert [fields[TOTAL] for _, fields in entries] == [b"%d" % before, b"%d" % (before + size)]
    await till.shop.drain()
    assert await till.backlog() == (0, 0)
