"""`python -m workers.scheduler`: starts shifts where there is work and nobody at it, and keeps gates and shelves true.

Owns when a shift is enqueued; the lease decides who works. Any number of schedulers may run: what they do twice changes
nothing. Each part goes on by itself when another's store is away.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import uvloop

from db import sales
from db.connections import pool
from db.orders import outbox
from db.products import catalogue_changes, stock
from db.work import due_work, shifts
from doorbuster import keys
from doorbuster.errors import SettingsError
from doorbuster.log import configure
from doorbuster.orderstore import gate
from doorbuster.redis_clients import plain_client
from doorbuster.settings import Settings, load_settings
from workers.drain import backlog
from workers.payments.sweep import grace_s
from workers.publish import catalogue
from workers.publish.availability import Units
from workers.publish.events import RELAY
from workers.room_outflow import Outflow
from workers.runtime import job_queue
from workers.runtime.failures import TRANSIENT
from workers.runtime.isolation import Isolation
from workers.runtime.presence import Presence

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.sales import LiveSale
    from db.work.due_work import Place

TICK_S = 0.5
GATES_S = 1.0
OUTFLOW_MS = 900
"""A turn at the rooms' outflow: a little less than the interval, whoever comes first."""
ALL_SALES_S = 30.0
"""How often sales long closed are looked at too."""
STORE_TIMEOUT_S = 2.0

log = logging.getLogger("doorbuster.workers.scheduler")


class Scheduler:
    """The scheduler's loop, its connections and what it saw last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._orders = plain_client(settings.orders_redis_url.get_secret_value(), timeout_s=STORE_TIMEOUT_S)
        self._jobs = job_queue.connect(settings.jobs_redis_url.get_secret_value(), timeout_s=STORE_TIMEOUT_S)
        self._queue = job_queue.open_queue(self._jobs)
        self._room_store = plain_client(settings.room_redis_url.get_secret_value(), timeout_s=STORE_TIMEOUT_S)
        self._sign_of_life = Presence(self._jobs)
        self._isolation = Isolation(self._orders)
        self._outflow = Outflow(
            self._orders,
            self._room_store,
            timeout_s=STORE_TIMEOUT_S,
            payment_timeout_s=settings.payment_timeout_s,
            isolation=self._isolation,
        )
        self._units = Units(settings)
        self._connection: Connection | None = None
        self._failing: set[str] = set()
        self._last: dict[str, float] = {}

    async def run(self) -> None:
        """Tick until cancelled."""
        try:
            while True:
                began = time.monotonic()
                await self.tick()
                _end_if_cancelled()
                await asyncio.sleep(max(0.0, began + TICK_S - time.monotonic()))
        finally:
            await self.close()

    async def close(self) -> None:
        """Close every connection."""
        self._drop_connection()
        await self._orders.aclose()
        await self._units.close()
        await self._room_store.aclose()
        self._sign_of_life.end()
        self._jobs.close()

    async def tick(self) -> None:
        """Look once at everything there may be to do."""
        parts: tuple[Callable[[], Awaitable[None]], ...] = (
            self._drains, self._settles, self._relay, self._sweep, self._catalogue,
        )  # fmt: skip
        if self._is_time("gates", GATES_S):
            parts += (self._gates, self._shelves, self._rooms, self._presence)
        for part in parts:
            name = part.__name__.strip("_")
            try:
                await self._isolation.attempt(name, part())
            except TRANSIENT as error:
                self._drop_connection()
                if name not in self._failing:
                    log.warning("cannot look", extra={"part": name, "error": repr(error)})
                self._failing.add(name)
            else:
                if name in self._failing:
                    log.info("looking again", extra={"part": name})
                self._failing.discard(name)

    async def _drains(self) -> None:
        connection = await self._open_connection()
        places = await self._places()
        if self._is_time("all_sales", ALL_SALES_S):
            places = await due_work.partitions(connection)
        idle = await self._without_shift("drain", places)
        if idle:
            found = await backlog.streams(self._orders, idle)
            await self._start("drain", backlog.behind(found, await due_work.cursors(connection, idle)))

    async def _settles(self) -> None:
        idle = await self._without_shift("settle", await self._places())
        if idle:
            await self._start("settle", await due_work.due(await self._open_connection(), idle))

    async def _relay(self) -> None:
        connection = await self._open_connection()
        if "relay" not in await shifts.live(connection) and await outbox.any_unpublished(connection, RELAY):
            await self._start("relay", [()])

    async def _sweep(self) -> None:
        connection = await self._open_connection()
        if "sweep" in await shifts.live(connection):
            return
        if await due_work.any_expired(connection, late_s=grace_s(self._settings)):
            await self._start("sweep", [()])

    async def _catalogue(self) -> None:
        connection = await self._open_connection()
        if "catalogue" in await shifts.live(connection):
            return
        for relay, age_s in catalogue.waits(self._settings).items():
            if await catalogue_changes.any_unrelayed(connection, relay, age_s=age_s):
                await self._start("catalogue", [()])
                return

    async def _gates(self) -> None:
        """Publish what Postgres says of each sale: a store that was replaced gets its gates back."""
        for sale in await self._live_sales():
            await self._isolation.attempt("gates", self._publish(sale), sale_id=sale.sale_id)

    async def _publish(self, sale: LiveSale) -> None:
        for partition in range(sale.partitions):
            shown = gate.Gate(
                sale_number=sale.sale_number,
                partition=partition,
                version=sale.version,
                phase=sale.phase,
                opens_ms=gate.opens_ms(sale.starts_at, sale.read_at),
                closes_ms=gate.unix_ms(sale.ends_at),
                epoch=sale.room_epoch,
            )
            await gate.publish(self._orders, shown)

    async def _rooms(self) -> None:
        """Hold each waiting room's outflow to what lies behind it can take."""
        if await asyncio.to_thread(self._takes_turn, "outflow", OUTFLOW_MS):
            await self._outflow.step(await self._open_connection())

    async def _presence(self) -> None:
        """Say that this scheduler lives."""
        await asyncio.to_thread(self._sign_of_life.renew)

    def _takes_turn(self, what: str, milliseconds: int) -> bool:
        return bool(self._jobs.set(keys.starting(what), "1", nx=True, px=milliseconds))

    async def _shelves(self) -> None:
        """Take off the sold-out sets what is available again: cancelled orders gave units back."""
        for sale in await self._live_sales():
            for partition in range(sale.partitions):
                restock = self._restock(sale.sale_number, partition)
                await self._isolation.attempt("shelves", restock, sale_id=sale.sale_id)

    async def _restock(self, sale_number: int, partition: int) -> None:
        key = keys.sold_out(sale_number, partition)
        members = [_text(member) for member in await self._orders.smembers(key)]
        if not members:
            return
        connection = await self._open_connection()
        units = await stock.available(connection, sale_number, members)
        if back := [product_id for product_id, free in units.items() if free > 0]:
            await self._orders.srem(key, *back)
        # All of them: whoever tells of units may be late, and the page would stay with what came last.
        await self._units.tell(await stock.left(connection, members))

    async def _live_sales(self) -> list[LiveSale]:
        return await sales.live_sales(await self._open_connection())

    async def _places(self) -> list[Place]:
        return [(sale.sale_number, number) for sale in await self._live_sales() for number in range(sale.partitions)]

    async def _without_shift(self, kind: str, places: list[Place]) -> list[Place]:
        live = await shifts.live(await self._open_connection())
        return [place for place in places if _name(kind, place) not in live]

    async def _start(self, kind: str, places: list[Place] | list[tuple[()]]) -> None:
        if places:
            await asyncio.to_thread(self._enqueue, [_name(kind, place) for place in places])

    def _enqueue(self, names: list[str]) -> None:
        waiting = job_queue.waiting(self._queue)
        for name in names:
            if name not in waiting and job_queue.enqueue(self._queue, name, self._settings):
                log.info("enqueued", extra={"shift": name})

    def _is_time(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now - self._last.get(what, -every_s) < every_s:
            return False
        self._last[what] = now
        return True

    async def _open_connection(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await pool.connect(
                self._settings.database_url.get_secret_value(),
                command_timeout_s=STORE_TIMEOUT_S,
                application="doorbuster-scheduler",
            )
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


def _end_if_cancelled() -> None:
    """End here if a cancellation was taken for a time-out on its way up: a driver's time-out may swallow one."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _text(member: bytes | str) -> str:
    return member.decode() if isinstance(member, bytes) else member


def _name(kind: str, place: tuple[int, ...]) -> str:
    return ":".join([kind, *map(str, place)])


async def _run_until_stopped(settings: Settings) -> None:
    task = asyncio.create_task(Scheduler(settings).run())
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, task.cancel)
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


def main() -> int:
    """Schedule until SIGTERM or Ctrl-C; return 2 when the settings are wrong."""
    try:
        settings = load_settings()
    except SettingsError as error:
        print(error.detail, file=sys.stderr)
        return 2
    configure(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run_until_stopped(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
