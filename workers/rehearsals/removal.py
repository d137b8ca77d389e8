"""The rehearsals shift: closes shadows whose lease has ended, and removes every trace of those that are closed.

Owns the order of that: the gate is shut, nobody works on the shadow any more, rows and keys go in batches until a whole
pass has found nothing. Whatever dies on the way, the next shift goes on: a row in `rehearsals` says what is left to do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from db import rehearsals, sales
from doorbuster import redis_traces
from doorbuster.orderstore import gate
from doorbuster.redis_clients import plain_client

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.rehearsals import OverRehearsal, ShadowTrace
    from workers.runtime.shift import Shift

BATCH = 2_000
"""Rows deleted in one transaction: a long one would hold up the relay."""
AGAIN_S = 1.0
"""Between a pass that found something and the next: what was under way may still write."""
TURN_S = 0.5
"""How long keys are looked through at a stretch; the lease is renewed in between."""
TIMEOUT_S = 5.0

log = logging.getLogger("doorbuster.workers.rehearsals")


class Removal:
    """Removes shadows; see `shift.Work`."""

    full = BATCH
    paced = False
    is_busy = True

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        urls = (shift.settings.room_redis_url, shift.settings.cache_redis_url, shift.settings.jobs_redis_url)
        self._others: list[Redis] = [plain_client(url.get_secret_value(), timeout_s=TIMEOUT_S) for url in urls]
        self._left: list[ShadowTrace] = []
        self._stores: list[tuple[Redis, int]] = []
        """Servers whose keys are still to be looked through in this pass, and from where on."""
        self._found = 0

    async def begin(self) -> None:
        """Begin a pass anew."""
        self._left, self._stores, self._found = [], [], 0

    async def step(self) -> int | None:
        """Do a piece of a pass; None when no shadow is to go."""
        connection = await self._shift.connection()
        over = await rehearsals.over(connection)
        if over is None:
            return None
        if not over.closed:
            await self._close(over)
            return 1
        if self._stores:
            await self._remove_keys(over)
            return 1
        if not self._left:
            self._left = await rehearsals.traces(connection)
            async with self._shift.leased_transaction() as held:
                await rehearsals.end_shifts(held, over.shadow_number)
        return await self._remove_rows(over)

    async def end(self, *, immediately: bool) -> None:  # noqa: ARG002 - closing takes no time
        """Close the connections."""
        for redis in self._others:
            await redis.aclose()

    async def _close(self, over: OverRehearsal) -> None:
        """Shut the gate of a shadow whose driver is gone."""
        async with self._shift.leased_transaction() as held:
            await rehearsals.close(held, over.rehearsal_id)
            shadow = await sales.get_sale_by_number(held, over.shadow_number)
        if shadow is not None:
            gates = [gate.gate_of(shadow, partition) for partition in range(over.partitions)]
            await gate.publish_each(self._shift.orders, gates)
        log.info("a rehearsal was left alone: its shadow is closed", extra={"sale_id": over.shadow_id})

    async def _remove_rows(self, over: OverRehearsal) -> int:
        """Remove a batch of rows; when there are no more, the keys come next."""
        trace = self._left[0]
        async with self._shift.leased_transaction() as held:
            count = await rehearsals.remove_some(held, trace, over.shadow_number, most=self._shift.size.now)
        self._found += count
        if count:
            return count
        del self._left[0]
        if not self._left:
            self._stores = [(redis, 0) for redis in (self._shift.orders, *self._others)]
        return 1

    async def _remove_keys(self, over: OverRehearsal) -> None:
        """Look through some pages of a server's keys; behind the last server the pass is over."""
        redis, cursor = self._stores[0]
        ends = time.monotonic() + TURN_S
        while True:
            cursor, removed = await redis_traces.remove_page(redis, over.shadow_number, cursor)
            self._found += removed
            if cursor == 0 or time.monotonic() > ends:
                break
        if cursor:
            self._stores[0] = (redis, cursor)
            return
        del self._stores[0]
        if not self._stores:
            await self._end_pass(over)

    async def _end_pass(self, over: OverRehearsal) -> None:
        if self._found:
            self._found = 0
            await asyncio.sleep(AGAIN_S)
            return
        async with self._shift.leased_transaction() as held:
            await rehearsals.removed(held, over.rehearsal_id)
        log.info("no trace of a rehearsal is left", extra={"sale_id": over.shadow_id})
