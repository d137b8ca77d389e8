"""Puts the sales' wishes for processes in force, and takes them back, each time one of them changes.

Owns when the adapter is asked: when the wish is another than the one in force, when it was set back by somebody, and
again, ever later, while it fails. One process at a time asks it; a row decides which.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from db.connections import pool as pools
from db.prewarm import scaling, steps
from db.sales import get_sale_by_number
from doorbuster.errors import SettingsError
from doorbuster.failures import ANTICIPATED
from doorbuster.orderstore import backlog
from workers.prewarm.beside import Beside
from workers.prewarm.wish import Wish, counts_of, is_over, lead_begins, wish_of
from workers.scaling.adapters import PLAN_AHEAD, make_adapter
from workers.scaling.interface import ScalingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.prewarm.scaling import Scaling
    from db.sales import LiveSale
    from doorbuster.settings import Settings
    from workers.scaling.interface import Adapter

TAKEN_S = 60.0
AGAIN_S = (2.0, 60.0)
"""After a failure: the first pause and the longest."""
VERIFY_S = 15.0
"""How often it is looked whether the wish is still in force."""

log = logging.getLogger("doorbuster.workers.scaling")


class Scaler:
    """Scales out and back."""

    def __init__(self, settings: Settings, orders: Redis, *, verify_s: float = VERIFY_S) -> None:
        self._settings, self._orders, self._verify_s = settings, orders, verify_s
        self._adapter: Adapter | None = None
        self._known: Scaling | None = None
        self._verified = 0.0
        self._told: set[tuple[int, datetime, str | None]] = set()
        """Plans that the platform has, as far as is known here."""
        self.beside = Beside()

    async def look(self, connection: Connection, sales: Sequence[LiveSale]) -> None:
        """See what is wanted now, and begin to put it in force unless that is under way."""
        if self._settings.scaling == "none" or self.beside.is_busy:
            return
        scaled = [sale for sale in sales if counts_of(sale.prewarm.scale)]
        if not scaled and self._known is not None and self._known.before is None:
            return
        self._known = await scaling.state(connection, self._settings.scaling)
        wish = wish_of(scaled, await self._settled(connection, scaled))
        is_other = (wish.counts or None) != self._known.wanted or sorted(self._known.sales) != sorted(wish.sales)
        is_to_verify = bool(wish.counts) and time.monotonic() - self._verified >= self._verify_s
        planned = await self._unplanned(connection, scaled)
        if is_other or is_to_verify or planned:
            self.beside.begin(self._work(wish, scaled, planned, is_other=is_other))

    async def close(self) -> None:
        """Leave what is under way to another, and close the adapter."""
        await self.beside.close()
        if self._adapter is not None:
            await self._adapter.close()

    async def _settled(self, connection: Connection, sales: Iterable[LiveSale]) -> set[int]:
        """Return those of the sales that are over, with nothing left to work off."""
        settled = set()
        for sale in sales:
            if not is_over(sale, sale.read_at):
                continue
            places = [(sale.sale_number, partition) for partition in range(sale.partitions)]
            waiting = sum(orders for orders, _ in await backlog.counts(self._orders, places))
            if not waiting and not await scaling.any_reservation(connection, sale.sale_number):
                settled.add(sale.sale_number)
        return settled

    async def _unplanned(self, connection: Connection, sales: Sequence[LiveSale]) -> list[tuple[LiveSale, str]]:
        """Return the sales of whose wish the platform was not told ahead, each with the step that it is."""
        if self._settings.scaling not in PLAN_AHEAD:
            return []
        found = []
        for sale in sales:
            step = _plan_step(sale, sales)
            key = (sale.sale_number, sale.starts_at, step)
            if step is None or key in self._told:
                continue
            if step in await steps.done(connection, sale.sale_number, sale.starts_at):
                self._told.add(key)
            else:
                found.append((sale, step))
        return found

    async def _work(
        self, wish: Wish, sales: Sequence[LiveSale], planned: Sequence[tuple[LiveSale, str]], *, is_other: bool
    ) -> None:
        """Ask the adapter, if nobody else does; every failure is written down, and tried again."""
        try:
            connection = await pools.connect(
                self._settings.database_url.get_secret_value(), application="doorbuster-scaling"
            )
        except ANTICIPATED as error:
            log.warning("the scale cannot be looked at", extra={"error": error})
            return
        try:
            if await scaling.take(connection, self._settings.scaling, for_s=TAKEN_S):
                await self._ask(connection, wish, sales, planned, is_other=is_other)
        except ANTICIPATED as error:
            log.warning("the scale was not put in force, it is tried again", extra={"error": error})
        finally:
            connection.terminate()

    async def _ask(
        self, connection: Connection, wish: Wish, sales: Sequence[LiveSale],
        planned: Sequence[tuple[LiveSale, str]], *, is_other: bool,
    ) -> None:  # fmt: skip
        name = self._settings.scaling
        known = await scaling.state(connection, name)
        try:
            adapter = await self._open_adapter()
            if planned and known.wanted is None and not wish.counts:
                # Before the platform's own plan comes true: then nobody could tell any more what it was.
                await scaling.keep_before(connection, name, await adapter.look(), anew=True)
            for sale, step in planned:
                await self._plan(connection, adapter, sale, sales, step)
            await self._bring(connection, adapter, wish, known, is_other=is_other)
        except (ScalingError, SettingsError) as error:
            again_in_s = min(AGAIN_S[0] * 2.0 ** min(known.failures, 10), AGAIN_S[1])
            await scaling.failed(connection, name, str(error), again_in_s=again_in_s)
            log.warning("scaling failed, it is tried again", extra={"adapter": name, "error": str(error)})
        else:
            self._verified = time.monotonic()
            is_planned = name in PLAN_AHEAD and any(_plan_step(sale, sales) not in (None, UNPLANNED) for sale in sales)
            await scaling.applied(connection, name, wish.counts or None, wish.sales, keeps_before=is_planned)
            await self._note(connection, known, wish)

    async def _open_adapter(self) -> Adapter:
        if self._adapter is None:
            self._adapter = await asyncio.to_thread(make_adapter, self._settings)
        return self._adapter

    async def _bring(
        self, connection: Connection, adapter: Adapter, wish: Wish, known: Scaling, *, is_other: bool
    ) -> None:
        if not wish.counts and known.wanted is None:
            return
        before = known.before or await scaling.keep_before(connection, adapter.name, await adapter.look())
        if is_other or known.failures or await adapter.falls_short(wish.counts):
            await adapter.apply(before, wish.counts)
            log.info("scaled", extra={"adapter": adapter.name, "wanted": wish.counts, "sales": list(wish.sales)})

    async def _plan(
        self, connection: Connection, adapter: Adapter, sale: LiveSale, sales: Sequence[LiveSale], step: str
    ) -> None:
        """Tell the platform ahead what it has to be at the sale's lead, or that it has not to be anything."""
        name = f"doorbuster-sale-{sale.sale_number}"
        if step == UNPLANNED:
            await adapter.unplan(name)
        else:
            await adapter.plan(name, lead_begins(sale), wish_of(sales, at=lead_begins(sale)).counts)
        await steps.finish(connection, sale.sale_number, sale.starts_at, step, {})

    async def _note(self, connection: Connection, known: Scaling, wish: Wish) -> None:
        """Write down for which sales it was scaled out and back."""
        for number in {*known.sales} ^ {*wish.sales}:
            sale = await get_sale_by_number(connection, number)
            if sale is not None:
                step = "scale_out" if number in wish.sales else "scale_back"
                await steps.finish(connection, number, sale.starts_at, step, {"wanted": wish.counts})


UNPLANNED = "ahead:none"


def _plan_step(sale: LiveSale, sales: Sequence[LiveSale]) -> str | None:
    """Return the step by which the platform is told of the sale ahead; None: it is too late for that."""
    if is_over(sale, sale.read_at):
        return UNPLANNED
    begins = lead_begins(sale)
    if begins <= sale.read_at:
        return None
    counts = wish_of(sales, at=begins).counts
    return ":".join(["ahead", str(sale.prewarm.lead_s), *(f"{role}={counts[role]}" for role in sorted(counts))])
