"""Holds each room's outflow to what lies behind it can take. Owns the measuring; the law is `waitingroom.outflow`.

Frozen when anything cannot be measured: a rate that nobody could justify is never set. Several schedulers do no harm:
the turn is taken in the jobs store, one a second.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from db import progress, sales
from db.products import stock
from db.work import cursors
from doorbuster.orderstore import unread
from waitingroom.outflow import Limits, OutflowDecision, SafetyNetState, Signals, decide
from waitingroom.room import Mode
from waitingroom.room_store import Room
from waitingroom.sale_config import room_config
from workers.publish.events import RELAY
from workers.runtime.isolation import FailureIsolation

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.sales import Sale
    from waitingroom.outflow import Slowest
    from waitingroom.room import RoomState

log = logging.getLogger("doorbuster.workers.outflow")


class RoomController:
    """A room under control, and what is remembered of it between steps."""

    def __init__(self, sale: Sale, rooms: Redis, timeout_s: float) -> None:
        self.sale = sale
        self.room = Room(rooms, lambda: room_config(self.sale), timeout_s=timeout_s)
        self.net = SafetyNetState()
        self.refused: int | None = None


class Outflow:
    """Controls every room of the live sales."""

    def __init__(
        self,
        orders: Redis,
        rooms: Redis,
        *,
        timeout_s: float,
        payment_timeout_s: float,
        isolation: FailureIsolation | None = None,
    ) -> None:
        self._payment_timeout_s = payment_timeout_s
        self._orders = orders
        self._isolation = isolation or FailureIsolation(orders)
        self._rooms = rooms
        self._timeout_s = timeout_s
        self._controlled: dict[int, RoomController] = {}

    async def step(self, connection: Connection) -> None:
        """Measure and set each room once; a room whose data is broken stops no other.

        Raises:
            StoreUnavailableError, RedisError, OSError: something could not be measured; the rest stays as it was.
        """
        live = await sales.live_rooms(connection)
        numbers = {sale.number for sale in live}
        self._controlled = {number: one for number, one in self._controlled.items() if number in numbers}
        for sale in live:
            await self._isolation.attempt("rooms", partial(self._control, connection, sale), sale_id=sale.sale_id)

    def _of(self, sale: Sale) -> RoomController:
        known = self._controlled.get(sale.number) or RoomController(sale, self._rooms, self._timeout_s)
        known.sale = sale
        self._controlled[sale.number] = known
        return known

    async def _control(self, connection: Connection, sale: Sale) -> None:
        one = self._of(sale)
        room = one.room
        state = await room.follow(sale.version, sale.room_secret)
        units = await stock.available(connection, sale.number, sale.products)
        await self._say_what_is_sold_out(room, state, units)
        limits = Limits.of(sale.room.get("thresholds"))
        signals = await self._measure(connection, one, state, sum(max(left, 0) for left in units.values()))
        before = OutflowDecision.read(state.decision)
        decision = decide(state.rate_now, state.config.rate_per_s, signals, limits, before=before, at_ms=state.now_ms)
        await room.set_rate(decision.rate_per_s, decision.packed())
        if state.config.mode is Mode.SAFETY_NET:
            on = one.net.next(state.net, signals, limits)
            if on != state.net:
                log.warning("safety net %s", "on" if on else "off", extra={"sale_id": sale.sale_id})
                await room.set_net(on)

    async def _say_what_is_sold_out(self, room: Room, state: RoomState, units: dict[str, int]) -> None:
        gone = tuple(sorted(product_id for product_id, left in units.items() if left <= 0))
        whole = len(gone) == len(units)
        if whole != state.sold_out or gone != state.sold_out_products:
            await room.note_sold_out(whole=whole, products=gone)

    async def _measure(self, connection: Connection, one: RoomController, state: RoomState, remaining: int) -> Signals:
        at = {
            (one.sale.number, partition): await cursors.read(connection, one.sale.number, partition)
            for partition in range(one.sale.partitions)
        }
        entries = await unread.look(self._orders, {place: cursor for place, (cursor, _) in at.items()})
        backlog = max(found.accepted - at[place][1] for place, found in entries.items())
        refused = sum(found.refused for found in entries.values())
        late = await self._late_ms(connection, list(at))
        late["drain"] = max(found.age_ms for found in entries.values())
        slowest: Slowest = max(late, key=lambda stage: late[stage])
        before, one.refused = one.refused, refused
        return Signals(
            backlog=backlog,
            lag_ms=late[slowest],
            refused=0 if before is None else max(refused - before, 0),
            remaining=remaining,
            inside=state.active + state.pending,
            slowest=slowest,
            paused=await progress.paused(connection, one.sale.number) or "",
        )

    async def _late_ms(self, connection: Connection, places: list[tuple[int, int]]) -> dict[Slowest, int]:
        """Return how late payments and events are: what is let in follows the slowest stage, not the drain alone.

        A payment that is being asked for is due all the while, so that time is no lateness.
        """
        payments = await progress.oldest_payments(connection, places)
        settle_s = max(max(payments.values()) - self._payment_timeout_s, 0.0)
        events_s = await progress.oldest_event(connection, RELAY)
        return {"payments": int(settle_s * 1000), "events": int(events_s * 1000)}
