"""What the parts of an order's way cost, beside the least that the same programs can do for an order.

By processor time. The least: a server of the same make that decodes an order and answers, commands to the order store
without a script around them, COPY of the rows that a drain wrote. Workers have none: they could be any program. So it
bounds this choice of programs; a server in another language might do with less.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import msgspec
import psutil
from redis.asyncio import Redis
from rich import box
from rich.table import Table

from loadtests.bench.orders.whole import WORKERS
from loadtests.bench.shop import Fresh, mix, open_sale
from loadtests.check import ledger
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan, Result

if TYPE_CHECKING:
    from loadtests.bench.orders.accepting import Accepting
    from loadtests.bench.orders.draining import Draining
    from loadtests.bench.scale import Scale
    from loadtests.scene.system import System

_BOUND_S = 180.0
ACCEPTED, DRAINED = 32, 448
"""Orders of a group commit and of a drain's batch, about as many as 64 clients make; the one divides the other."""
ENTRY, KEPT, EVENT = b"x" * 100, b"y" * 35, b"z" * 200
"""As long as what the intake appends, remembers of an order, and the relay tells, twice of an order."""
_STREAM, _EVENTS = "{least}:stream", "{least}:events"
PARTS = {
    "generator": "load generator",
    "intake": "intake",
    "store": "order store",
    "workers": "workers",
    "postgres": "Postgres",
}


class Ours(msgspec.Struct):
    """One turn: microseconds of processor an order, what ours cost by part, and the order store's bare commands."""

    us: dict[str, float]
    commands_us: float


async def measure(scale: Scale, systems: Fresh) -> list[Ours]:
    """Measure what the whole way costs, and the bare commands, by turns."""
    async with systems.fresh(workers=WORKERS) as system:
        return [await _turn(system, scale, turn) for turn in range(scale.repeats)]


async def _turn(system: System, scale: Scale, turn: int) -> Ours:
    sale = f"least-{turn}"
    await open_sale(system, sale)
    before = system.processor_s()
    result = await _post(system.ready.base, sale, scale)
    async with ledger.connected(system.ready.urls["database"]) as connection:
        await ledger.wait_until_final(connection, sale, result.accepted_count, bound_s=_BOUND_S)
        await ledger.wait_until_told(connection, bound_s=_BOUND_S)
    after = system.processor_s()
    roles = {"intake": "intake", "store": "orders", "workers": "worker", "postgres": "postgres"}
    us = {part: (after[role] - before[role]) / result.accepted_count * 1e6 for part, role in roles.items()}
    us["generator"] = result.processor_s / result.accepted_count * 1e6
    with system.draining_paused():
        before = system.processor_s()
        await _command(system, scale.orders)
        commands_s = system.processor_s()["orders"] - before["orders"]
    return Ours(us, commands_s / (scale.orders // DRAINED * DRAINED) * 1e6)


async def _post(base: str, sale: str, scale: Scale) -> Result:
    plan = Plan(base=base, mix=mix(sale, sale), connections=scale.clients, seconds=scale.whole_s, keep_ids=False)
    result = await carry_out(plan)
    if set(result.outcomes) != {"accepted"}:
        raise RuntimeError(f"not every order was accepted, the figures would mislead: {result.answers}")
    return result


async def _command(system: System, orders: int) -> None:
    """Have the order store do what an order cannot do without: be kept, known again, read, let go, told of twice."""
    client = Redis.from_url(system.ready.urls["orders_redis"])
    async with client:
        for batch in range(orders // DRAINED):
            for group in range(0, DRAINED, ACCEPTED):
                await _accept(client, batch * DRAINED + group)
            await client.xread({_STREAM: "0"}, count=DRAINED)
            drained = client.pipeline(transaction=False)
            drained.xtrim(_STREAM, maxlen=0)
            for _ in range(2 * DRAINED):
                drained.xadd(_EVENTS, {"event": EVENT})
            drained.xtrim(_EVENTS, maxlen=0)
            await drained.execute()


async def _accept(client: Redis, first: int) -> None:
    together = client.pipeline(transaction=False)
    for number in range(first, first + ACCEPTED):
        together.xadd(_STREAM, {"e": ENTRY})
        together.set(f"{{least}}:a:{number:032x}", KEPT, ex=600)
    await together.execute()


def said(one: Ours) -> str:
    """Return a turn as a line."""
    parts = ", ".join(f"{name} {one.us[part]:.0f}" for part, name in PARTS.items())
    return f"the whole way by part: {parts} us an order; bare commands to the order store {one.commands_us:.0f} us"


def least(ours: list[Ours], accepting: list[Accepting], draining: list[Draining]) -> dict[str, float]:
    """Return the least of each part that has one, medians."""
    return {
        "generator": median(one.floor_generator_us for one in accepting),
        "intake": median(one.floor_us for one in accepting),
        "store": median(one.commands_us for one in ours),
        "postgres": median(one.copy_us for one in draining),
    }


def render(ours: list[Ours], bare: dict[str, float], rival_per_s: float) -> Table:
    """Return medians as a table: what ours cost, the least, and what both allow against the synchronous rival."""
    title = "What bounds the whole way: processor time of an order"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("part", "ours", "the least"):
        table.add_column(column, justify="left" if column == "part" else "right")
    us = {part: median(one.us[part] for one in ours) for part in PARTS}
    for part, name in PARTS.items():
        table.add_row(name, f"{us[part]:.1f} us", f"{bare[part]:.1f} us" if part in bare else "")
    sums = [sum(us.values()), sum(bare.values())]
    table.add_row("together", *(f"{one:.1f} us" for one in sums))
    rates = [(psutil.cpu_count() or 1) / one * 1e6 for one in sums]
    table.add_row("if no core ever waits", *(f"{rate:,.0f}/s" for rate in rates))
    table.add_row("times the synchronous rival", *(f"{rate / rival_per_s:.1f}" for rate in rates))
    return table
