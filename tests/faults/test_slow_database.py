"""A database that suddenly is a hundred times slower: something is done in every lease, and full speed comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from db.work.due_work import Partition
from tests.fixtures.proxy import Proxy
from tests.fixtures.turns import Watch
from tests.fixtures.waiting import eventually
from workers.drain.shift import Drain
from workers.payments.settle import Settle
from workers.payments.simulated import SimulatedGateway
from workers.payments.sweep import Sweep
from workers.publish.catalogue import catalogue_relay
from workers.publish.events import event_relay
from workers.runtime import shift
from workers.runtime.batch_size import BatchSize

if TYPE_CHECKING:
    from tests.fixtures.shop import Shop

LEASE_S = 2.0
PATIENT_LEASE_S = 60.0
"""Of who goes on at full speed: what counts as quick is a share of it, and no busy machine is slow by this one."""
LEASES = 3


@dataclass(frozen=True)
class Kind:
    """A kind of shift: what it works on, how far it is, and what is left."""

    name: str
    make: Callable[[Shop, shift.Shift], shift.Work]
    fill: Callable[[Shop], Awaitable[object]]
    done: str
    left: str
    bytes_per_s: int = 40_000
    """To and from the database, when it is slow: a full batch takes a hundred times as long as otherwise, or more."""


async def _accepted(shop: Shop) -> None:
    await shop.stock(lamp=1_000_000)
    await shop.open_sale("lamp")
    await shop.buy(*(f"c{n}" for n in range(16_000)), lamp=1)


async def _pending(shop: Shop) -> None:
    await _accepted(shop)
    await shop.drain()


async def _ended(shop: Shop) -> None:
    await _pending(shop)
    await shop.db.execute("update reservations set attempts = 1, expires_at = now() - interval '1 h'")


async def _changed(shop: Shop) -> None:
    await shop.stock(lamp=1)
    for _ in range(40):
        await shop.db.execute(
            "insert into product_changes (product_id, version, category)"
            " select 'lamp', n, 'category' from generate_series(1, 1000) n"
        )


KINDS = [
    Kind(
        "drain:1:0",
        lambda shop, mine: Drain(mine, Partition(shop.sale_number, 0)),
        _accepted,
        "select drained from stream_cursors",
        "select 16000 - drained from stream_cursors",
        bytes_per_s=150_000,
    ),
    Kind(
        "settle:1:0",
        lambda shop, mine: Settle(mine, Partition(shop.sale_number, 0), SimulatedGateway()),
        _pending,
        "select count(*) from order_events where status = 'confirmed'",
        "select count(*) from reservations",
    ),
    Kind(
        "sweep",
        lambda _shop, mine: Sweep(mine),
        _ended,
        "select count(*) from payment_operations where kind = 'void'",
        "select count(*) from reservations",
    ),
    Kind(
        "relay",
        lambda _shop, mine: event_relay(mine),
        _pending,
        "select coalesce(max(position), 0) from relay_cursors where relay = 'events'",
        "select count(*) from order_events e"
        " where e.position > (select position from relay_cursors where relay = 'events')",
    ),
    Kind(
        "catalogue",
        lambda _shop, mine: catalogue_relay(mine),
        _changed,
        "select coalesce(max(position), 0) from relay_cursors where relay = 'catalogue-cache'",
        "select count(*) from product_changes e"
        " where e.position > (select position from relay_cursors where relay = 'catalogue-cache')",
    ),
]


async def _work(shop: Shop, kind: Kind, database_url: str, stop: asyncio.Event, lease_s: float = LEASE_S) -> None:
    """Run the kind's shifts one after the other, as the scheduler would."""
    told = {"lease_s": lease_s, "shift_s": 600.0, "database_url": SecretStr(database_url)}
    settings = shop.settings.model_copy(update=told)
    while not stop.is_set():
        await shift.run(kind.name, settings, stop, lambda mine: kind.make(shop, mine))
        await asyncio.sleep(0.01)


async def _a_lease_passes() -> None:
    """Wait until the process, of which the shift is a part, has had its turns for as long as a lease is."""
    watch = Watch()

    async def passed() -> bool:
        return watch.elapsed_s() >= LEASE_S

    await eventually(passed, what="a lease's time to pass")


async def _in_each_lease(shop: Shop, kind: Kind) -> list[int]:
    """Return how much was done in each of some leases, after one in which what was under way may be lost."""
    await _a_lease_passes()
    done, before = [], await shop.db.fetchval(kind.done) or 0
    for _ in range(LEASES):
        await _a_lease_passes()  # what is measured is what a lease's time allows
        now = await shop.db.fetchval(kind.done) or 0
        done.append(now - before)
        before = now
    return done


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name.partition(":")[0])
async def test_something_is_done_in_every_lease_and_full_speed_returns(shop: Shop, kind: Kind) -> None:
    await kind.fill(shop)
    with Proxy(shop.settings.database_url.get_secret_value()) as line:
        line.throttle(kind.bytes_per_s)
        async with _working(shop, kind, line, LEASE_S):
            done = await _in_each_lease(shop, kind)
            assert all(done), done
        assert await shop.db.fetchval("select batch_max from shifts where name = $1", kind.name)
        line.mend()
        async with _working(shop, kind, line, PATIENT_LEASE_S):
            await eventually(lambda: _is_done(shop, kind), within_s=30, what="all to be done at full speed")


@asynccontextmanager
async def _working(shop: Shop, kind: Kind, line: Proxy, lease_s: float) -> AsyncIterator[None]:
    """Run the kind's shifts for the block, and leave no lease behind that a successor would wait for."""
    stop = asyncio.Event()
    working = asyncio.create_task(_work(shop, kind, line.url, stop, lease_s))
    try:
        yield
    finally:
        stop.set()
        await working


async def _is_done(shop: Shop, kind: Kind) -> bool:
    at_full_size = await shop.db.fetchval("select batch_max is null from shifts where name = $1", kind.name)
    return at_full_size and await shop.db.fetchval(kind.left) == 0


async def test_without_smaller_batches_nothing_is_done(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(BatchSize, "_shrink", lambda *_: None)
    kind = KINDS[0]
    await kind.fill(shop)
    stop = asyncio.Event()
    with Proxy(shop.settings.database_url.get_secret_value()) as line:
        line.throttle(kind.bytes_per_s)
        working = asyncio.create_task(_work(shop, kind, line.url, stop))
        done = await _in_each_lease(shop, kind)
        line.mend()
        stop.set()
        await working
    assert not any(done), done
