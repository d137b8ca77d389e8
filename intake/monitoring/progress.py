"""How late the stages behind the intake are, for metrics and for ops: drain, settling, events, catalogue.

Owns the question and what counts as late; asks the stores at most once a second, however often it is asked itself.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from db import progress, sales
from db.orders import money
from db.orders.money import OpenOperations
from db.webhooks import deliveries, endpoints
from db.work import due_work
from doorbuster.orderstore import unread

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.webhooks.deliveries import Waiting
    from intake.database import Database

KEEP_S = 1.0
WITHIN_S = 3.0
LATE_S = 10.0
"""From here on a stage is late, and somebody should look."""
EVENTS, CACHES = "events", "catalogue-cache"
"""Cursors of the relays."""
_FIELDS = {
    "drain": "oldest_unread_entry_s",
    "settle": "oldest_pending_payment_s",
    "relay": "oldest_unpublished_event_s",
    "catalogue": "oldest_untold_change_s",
    "fan_out": "oldest_event_without_deliveries_s",
    "money": "oldest_operation_at_the_provider_s",
}
_SENTENCES = {
    "drain": "the oldest order nobody has drained is {:.0f} s old",
    "settle": "the oldest payment has been due for {:.0f} s",
    "relay": "the oldest event nobody has published is {:.0f} s old",
    "catalogue": "the oldest catalogue change the caches have not heard of is {:.0f} s old",
    "fan_out": "the oldest event that webhooks have not been given is {:.0f} s old",
    "money": "the oldest operation at the payment provider has been due for {:.0f} s",
}
_PAUSED = {"down": "is down", "rate_limited": "takes no more for now"}


@dataclass(frozen=True, slots=True)
class Stage:
    """How late one shift's work is, in seconds; of all sales where it names none."""

    shift: str
    age_s: float
    sale_id: str = ""
    partition: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen at one look."""

    stages: list[Stage] = field(default_factory=list)
    limited: list[progress.LimitedShift] = field(default_factory=list)
    money: OpenOperations = field(default_factory=lambda: OpenOperations(0, 0.0, 0))
    webhooks: list[Waiting] = field(default_factory=list)

    @property
    def late(self) -> list[str]:
        """Say of each kind of shift that is late how late its worst is, and what keeps payments or webhooks."""
        worst: dict[str, float] = {}
        for stage in self.stages:
            worst[stage.shift] = max(worst.get(stage.shift, 0.0), stage.age_s)
        late = [_SENTENCES[shift].format(age_s) for shift, age_s in worst.items() if age_s > LATE_S]
        paused = sorted({shift.payments_paused for shift in self.limited if shift.payments_paused is not None})
        late += [f"the payment provider {_PAUSED[why]}: it is left alone for a moment" for why in paused]
        if self.money.failed:
            late.append(f"operations that the payment provider refused for good: {self.money.failed}")
        # By their numbers: a URL may hold what nobody is to see who only asks whether the process is ready.
        late += [f"the webhook {one.webhook_id} is {one.state}" for one in self.webhooks if one.state != "active"]
        return late

    def shown(self) -> dict[str, Any]:
        """Return it as ops see it: the oldest of each kind in seconds, and what bounds a shift."""
        oldest = dict.fromkeys(_FIELDS.values(), 0.0)
        for stage in self.stages:
            name = _FIELDS[stage.shift]
            oldest[name] = max(oldest[name], round(stage.age_s, 3))
        smaller = {shift.name: shift.batch_max for shift in self.limited if shift.batch_max is not None}
        taken = {
            shift.name: round(shift.payments_per_s, 1) for shift in self.limited if shift.payments_per_s is not None
        }
        webhooks = [
            {"webhook_id": one.webhook_id, "state": one.state, "oldest_event_s": round(one.age_s or 0.0, 3)}
            for one in self.webhooks
        ]
        paused = {shift.name: shift.payments_paused for shift in self.limited if shift.payments_paused is not None}
        return oldest | {
            "batches_smaller": smaller,
            "payments_per_s": taken,
            "payments_paused": paused,
            "operations_due": self.money.due,
            "operations_failed": self.money.failed,
            "webhooks": webhooks,
            "late": self.late,
        }


class Progress:
    """Looks how late each stage is, of every sale that may have work to do, also of those this process never served."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._database = database
        self._redis = redis
        self._seen = Seen()
        self._seen_at = -KEEP_S
        self._looking = asyncio.Lock()

    async def look(self) -> Seen:
        """Return how late each stage is, as of a second ago at most.

        Raises:
            One of STORE_FAILED: a store does not answer.
        """
        async with self._looking:
            if time.monotonic() - self._seen_at >= KEEP_S:
                async with asyncio.timeout(WITHIN_S):
                    self._seen = await self._look()
                self._seen_at = time.monotonic()
            return self._seen

    async def _look(self) -> Seen:
        async with self._database.reading("watching") as connection:
            lanes = {
                (sale.sale_number, partition): (sale.sale_id, str(partition))
                for sale in await sales.live_sales(connection)
                for partition in range(sale.partitions)
            }
            cursors = dict.fromkeys(lanes, "0-0")
            if lanes:
                cursors |= {place: cursor for place, (cursor, _) in (await due_work.cursors(connection, lanes)).items()}
            payments = await progress.oldest_payments(connection, lanes)
            stages = [
                Stage("relay", await progress.oldest_event(connection, EVENTS)),
                Stage("catalogue", await progress.oldest_change(connection, CACHES)),
            ]
            webhooks = await deliveries.oldest_due(connection)
            if any(one.state != "disabled" for one in webhooks):
                stages.append(Stage("fan_out", await progress.oldest_event(connection, endpoints.ORDERS)))
            limited = await progress.limited_shifts(connection)
            operations = await money.open_operations(connection)
        stages.append(Stage("money", operations.oldest_s))
        entries = await unread.look(self._redis, {place: cursors[place] for place in lanes})
        stages += [Stage("drain", found.age_ms / 1000, *lanes[place]) for place, found in entries.items()]
        stages += [Stage("settle", age_s, *lanes[place]) for place, age_s in payments.items()]
        return Seen(stages, limited, operations, webhooks)
