"""The registry of shifts: the name of each kind, when there is work for it, what does that work. Nothing else has it.

The scheduler asks every kind whether it is due and enqueues; RQ calls `workers.jobs.<name>`; both find the kind here. A
name stays for ever: it is in leases, in jobs under way at a deploy, and on the dashboards. Owns no work of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from db import rehearsals, sales
from db.orders import money, standby
from db.webhooks import deliveries, endpoints, replays
from db.work import due_work
from db.work.due_work import Partition
from doorbuster.orderstore import backlog
from workers.drain.shift import Drain
from workers.drain.standby import StandbyService
from workers.payments.money import Money
from workers.payments.providers import gateway_at_once, gateway_of_all, gateway_of_sale
from workers.payments.settle import Settle
from workers.payments.sweep import Sweep, grace_s
from workers.publish import catalogue
from workers.publish.catalogue import catalogue_relay
from workers.publish.events import EventStream, ShadowStreams, event_relay
from workers.publish.outboxes import CATALOGUE_CHANGES, ORDER_EVENTS
from workers.rehearsals.removal import Removal
from workers.webhooks.deliver import Deliver
from workers.webhooks.events import WORLD_EVENTS
from workers.webhooks.fan_out import FanOut

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.work.due_work import Place
    from doorbuster.settings import Settings
    from workers.runtime.shift import Shift, Work

Numbers: TypeAlias = tuple[int, ...]
"""What tells one shift of a kind from another: sale number and partition, or nothing where there is one shift alone."""
ALONE: Numbers = ()


@dataclass(frozen=True)
class DueCheck:
    """What a kind may ask while the scheduler looks for work."""

    connection: Connection
    orders: Redis
    settings: Settings
    live: Collection[str]
    """Names of the shifts that somebody works on now."""
    thorough: bool = False
    """Whether sales long closed are looked at too."""

    def idle(self, name: str, partitions: Collection[Place]) -> list[Place]:
        """Return those of the partitions that no shift of this kind works on."""
        return [partition for partition in partitions if shift_name(name, partition) not in self.live]

    async def partitions(self) -> list[Place]:
        """Return every partition of the sales that live, or of all sales when it is thorough."""
        if self.thorough:
            return await due_work.partitions(self.connection, shadows=True)
        return await self.live_partitions()

    async def live_partitions(self) -> list[Place]:
        """Return every partition of the sales that live."""
        live = await sales.live_sales(self.connection, shadows=True)
        return [(sale.sale_number, number) for sale in live for number in range(sale.partitions)]


@dataclass(frozen=True)
class ShiftKind:
    """A kind of shift."""

    name: str
    due: Callable[[DueCheck], Awaitable[Collection[Numbers]]]
    """Returns which shifts of the kind have something to do; those at work already may be left out."""
    make: Callable[[Shift, Numbers], Work]
    """Makes the work of one shift."""


def shift_name(kind: str, numbers: Numbers) -> str:
    """Return what one shift is called, like `drain:7:0`: the name of its lease and of its job."""
    return ":".join([kind, *map(str, numbers)])


async def _drains_due(look: DueCheck) -> Collection[Numbers]:
    idle = look.idle("drain", await look.partitions())
    if not idle:
        return []
    found = await backlog.streams(look.orders, idle)
    return backlog.behind(found, await due_work.cursors(look.connection, idle))


async def _settles_due(look: DueCheck) -> Collection[Numbers]:
    idle = look.idle("settle", await look.live_partitions())
    return await due_work.due(look.connection, idle) if idle else []


async def _relay_due(look: DueCheck) -> Collection[Numbers]:
    for target in (EventStream, ShadowStreams):
        if await target.source.any_behind(look.connection, target.name, age_s=target.wait_s):
            return [ALONE]
    return []


async def _catalogue_due(look: DueCheck) -> Collection[Numbers]:
    for cursor, age_s in catalogue.waits(look.settings).items():
        if await CATALOGUE_CHANGES.any_behind(look.connection, cursor, age_s=age_s):
            return [ALONE]
    return []


async def _sweep_due(look: DueCheck) -> Collection[Numbers]:
    return [ALONE] if await due_work.any_expired(look.connection, late_s=grace_s(look.settings)) else []


async def _money_due(look: DueCheck) -> Collection[Numbers]:
    return [ALONE] if await money.any_due(look.connection) else []


async def _fan_out_due(look: DueCheck) -> Collection[Numbers]:
    connection = look.connection
    if await endpoints.deleted(connection):
        return [ALONE]
    if not await endpoints.any_told(connection):
        return []
    is_behind = (
        await ORDER_EVENTS.any_behind(connection, endpoints.ORDERS, age_s=0.0)
        or await WORLD_EVENTS.any_behind(connection, endpoints.WORLD, age_s=0.0)
        or await replays.any_replay(connection)
    )
    return [ALONE] if is_behind else []


async def _deliveries_due(look: DueCheck) -> Collection[Numbers]:
    return [ALONE] if await deliveries.any_due(look.connection) else []


async def _standby_due(look: DueCheck) -> Collection[Numbers]:
    is_due = await standby.any_ended(look.connection) or await standby.servable(look.connection, limit=1)
    return [ALONE] if is_due else []


async def _rehearsals_due(look: DueCheck) -> Collection[Numbers]:
    return [ALONE] if await rehearsals.any_over(look.connection) else []


def _drain(shift: Shift, numbers: Numbers) -> Work:
    return Drain(shift, Partition(*numbers), gateway_at_once(shift.settings, numbers[0]))


def _settle(shift: Shift, numbers: Numbers) -> Work:
    return Settle(shift, Partition(*numbers), gateway_of_sale(shift.settings, numbers[0]))


SHIFTS = (
    ShiftKind("drain", _drains_due, _drain),
    ShiftKind("settle", _settles_due, _settle),
    ShiftKind("relay", _relay_due, lambda shift, _: event_relay(shift)),
    ShiftKind("sweep", _sweep_due, lambda shift, _: Sweep(shift)),
    ShiftKind("money", _money_due, lambda shift, _: Money(shift, gateway_of_all(shift.settings))),
    ShiftKind("standby", _standby_due, lambda shift, _: StandbyService(shift)),
    ShiftKind("catalogue", _catalogue_due, lambda shift, _: catalogue_relay(shift)),
    ShiftKind("fan_out", _fan_out_due, lambda shift, _: FanOut(shift)),
    ShiftKind("webhooks", _deliveries_due, lambda shift, _: Deliver(shift)),
    ShiftKind("rehearsals", _rehearsals_due, lambda shift, _: Removal(shift)),
)
"""In the order in which the scheduler asks them."""
