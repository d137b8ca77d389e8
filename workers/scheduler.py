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
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import uvloop

from db import sales
from db.connections import pool
from db.connections.fence import remember_in
from db.products import stock
from db.work import due_work, shifts, timelines
from doorbuster.errors import SettingsError
from doorbuster.failures import TRANSIENT
from doorbuster.log import configure
from doorbuster.orderstore import gate, sold_out
from doorbuster.orderstore.beside.timelines import Timelines
from doorbuster.redis_clients import plain_client
from doorbuster.settings import Settings, load_settings
from workers.drain import former_prices
from workers.prewarm.ahead import AheadOfSales
from workers.publish import sale_minutes
from workers.publish.availability import Units
from workers.report.marks import ReportMarks
from workers.report.writer import ReportWriter
from workers.room_outflow import Outflow
from workers.runtime import job_queue
from workers.runtime.isolation import FailureIsolation
from workers.runtime.presence import Presence
from workers.shifts import SHIFTS, DueCheck, ShiftKind, shift_name
from workers.webhooks.sales import SaleEvents

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.sales import LiveSale

TICK_S = 0.5
GATES_S = 1.0
OUTFLOW_MS = 900
"""A turn at the rooms' outflow: a little less than the interval, whoever comes first."""
REPORTS_S = 2.0
"""How often sales that are over are looked for, and the report under way seen to."""
ALL_SALES_S = 30.0
"""How often sales long closed are looked at too."""
FORGET_S = 60.0
"""How often former prices are looked at."""
MINUTES_S = 5.0
"""How often minutes that are over are looked for."""
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
        self._isolation = FailureIsolation(self._orders)
        self._outflow = Outflow(
            self._orders,
            self._room_store,
            timeout_s=STORE_TIMEOUT_S,
            payment_timeout_s=settings.payment_timeout_s,
            isolation=self._isolation,
        )
        self._units = Units(settings)
        self._sale_events = SaleEvents()
        self._ahead = AheadOfSales(settings, self._orders, self._isolation)
        self._reports = ReportWriter(
            settings.database_url.get_secret_value(),
            self._orders,
            self._room_store,
            jobs=self._jobs,
            isolation=self._isolation,
        )
        self._marks = ReportMarks(self._jobs, settings.jobs_redis_url.get_secret_value())
        self._connection: Connection | None = None
        self._failing: set[str] = set()
        self._thorough = False
        self._last: dict[str, float] = {}

    async def run(self) -> None:
        """Tick until cancelled."""
        remember_in(Timelines(self._orders))
        try:
            while True:
                began = time.monotonic()
                await self.tick()
                _end_if_cancelled()
                await asyncio.sleep(max(0.0, began + TICK_S - time.monotonic()))
        finally:
            remember_in(None)
            await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._reports.close()
        self._drop_connection()
        await self._ahead.close()
        await self._orders.aclose()
        await self._units.close()
        await self._room_store.aclose()
        await self._marks.close()
        self._sign_of_life.end()
        self._jobs.close()

    async def tick(self) -> None:
        """Look once at everything there may be to do."""
        parts: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            (kind.name, partial(self._start_due, kind)) for kind in SHIFTS
        ]
        if self._is_time("gates", GATES_S):
            parts += [
                ("gates", self._gates), ("shelves", self._shelves), ("rooms", self._rooms),
                ("presence", self._presence), ("sale_events", self._tell_of_sales), ("minutes", self._copy_minutes),
                ("prewarm", self._ahead_of_sales), ("marks", self._mark),
                ("reports", self._write_reports), ("former_prices", self._forget_prices),
            ]  # fmt: skip
        self._thorough = self._is_time("all_sales", ALL_SALES_S)
        for name, part in parts:
            try:
                await self._isolation.attempt(name, part)
            except TRANSIENT as error:
                self._drop_connection()
                if name not in self._failing:
                    log.warning("a part of the scheduler cannot look", extra={"part": name, "error": error})
                self._failing.add(name)
            else:
                if name in self._failing:
                    log.info("a part of the scheduler looks again", extra={"part": name})
                self._failing.discard(name)

    async def _start_due(self, kind: ShiftKind) -> None:
        connection = await self._open_connection()
        live = await shifts.live(connection)
        look = DueCheck(connection, self._orders, self._settings, live, thorough=self._thorough)
        due = [shift_name(kind.name, numbers) for numbers in await kind.due(look)] if kind.name not in live else []
        if starting := [name for name in due if name not in live]:
            await asyncio.to_thread(self._enqueue, starting)

    async def _gates(self) -> None:
        """Publish what Postgres says of each sale: a store that was replaced gets its gates back."""
        await self._of_each_sale("gates", [(sale, partial(self._publish, sale)) for sale in await self._live_sales()])

    async def _publish(self, sale: LiveSale) -> None:
        await gate.publish_each(self._orders, [gate.gate_of(sale, one) for one in range(sale.partitions)])

    async def _of_each_sale(self, part: str, work: Sequence[tuple[LiveSale, Callable[[], Awaitable[None]]]]) -> None:
        """Do work of several sales, one after another: a server that is away keeps only its own from being done.

        Raises:
            One of TRANSIENT: the first failure, when all were tried.
        """
        failures: list[Exception] = []
        for sale, one in work:
            try:
                await self._isolation.attempt(part, one, sale_id=sale.sale_id)
            except TRANSIENT as error:
                failures.append(error)
        if failures:
            raise failures[0]

    async def _rooms(self) -> None:
        """Hold each waiting room's outflow to what lies behind it can take."""
        if await asyncio.to_thread(job_queue.takes_turn, self._jobs, "outflow", OUTFLOW_MS):
            await self._outflow.step(await self._open_connection())

    async def _presence(self) -> None:
        """Say that this scheduler lives."""
        await asyncio.to_thread(self._sign_of_life.renew)

    async def _shelves(self) -> None:
        """Take off the sold-out sets what is available again: cancelled orders gave units back."""
        partitions = [(sale, one) for sale in await self._live_sales() for one in range(sale.partitions)]
        work = [(sale, partial(self._restock, sale.sale_number, one)) for sale, one in partitions]
        await self._of_each_sale("shelves", work)

    async def _restock(self, sale_number: int, partition: int) -> None:
        here = [(sale_number, partition)]
        members = list((await sold_out.read(self._orders, here))[0])
        if not members:
            return
        connection = await self._open_connection()
        units = await stock.available(connection, sale_number, members)
        if back := [product_id for product_id, free in units.items() if free > 0]:
            await sold_out.clear(self._orders, here, back)
        await self._sale_events.sold_out(connection, sale_number, units.keys() - back)
        # All of them: whoever tells of units may be late, and the page would stay with what came last.
        await self._units.tell(await stock.left(connection, members))

    async def _tell_of_sales(self) -> None:
        """Write down what became of sales by now, for webhooks; of those long over now and then."""
        connection = await self._open_connection()
        numbers = {sale.sale_number for sale in await sales.live_sales(connection)}
        if self._is_time("sale_events", ALL_SALES_S):
            numbers |= {number for number, _ in await due_work.partitions(connection)}
        await self._sale_events.look(connection, numbers)

    async def _ahead_of_sales(self) -> None:
        """Do what is due ahead of sales, and keep the scale that they want."""
        connection = await self._open_connection()
        await self._ahead.look(connection, await sales.live_sales(connection))

    async def _mark(self) -> None:
        """Write down which of the sales' plans are in force by now, and who was started."""
        connection = await self._open_connection()
        await self._marks.look(connection, await sales.live_sales(connection))

    async def _copy_minutes(self) -> None:
        """Copy what intakes counted by minute: of sales that live soon, of all that ever were now and then."""
        is_thorough = self._is_time("all_minutes", ALL_SALES_S)
        if not is_thorough and not self._is_time("minutes", MINUTES_S):
            return
        connection = await self._open_connection()
        numbers = {sale.sale_number for sale in await sales.live_sales(connection)}
        if is_thorough:
            numbers |= {number for number, _ in await due_work.partitions(connection)}
        await sale_minutes.copy(self._room_store, connection, numbers)

    async def _write_reports(self) -> None:
        """See to the reports of sales that are over."""
        if self._is_time("reports", REPORTS_S):
            await self._reports.step(await self._open_connection())

    async def _forget_prices(self) -> None:
        """Forget former prices that no order needs any more."""
        if self._is_time("former_prices", FORGET_S):
            keep_s = former_prices.KEEP_S + self._settings.stream_keep_s
            await former_prices.forget(await self._open_connection(), self._orders, keep_s=keep_s)

    async def _live_sales(self) -> list[LiveSale]:
        return await sales.live_sales(await self._open_connection(), shadows=True)

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
            await timelines.note(self._connection)
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


async def _run_until_stopped(settings: Settings) -> None:
    task = asyncio.create_task(Scheduler(settings).run())
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, task.cancel)
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


def main() -> int:
    """Schedule until SIGTERM or Ctrl-C; return 2 when the settings are wrong."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the loop has its own
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
