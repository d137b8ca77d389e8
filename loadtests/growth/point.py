"""Measures one point: processor time of an order, by role, from its post to its last event. Owns the arithmetic.

What the machine does besides is not in it; nor is the generator, what is asked to see when all is done, what the
processes use while nothing is ordered, and the start of the sale's shifts: a part of the orders is sold before.
"""

from __future__ import annotations

import asyncio
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
import psutil

from doorbuster.contract.sales import LimitsRequest, SaleProductRequest, SaleRequest
from loadtests.check import ledger
from loadtests.growth.axes import Point
from loadtests.scene.stage import NO_ROOM
from loadtests.scene.system import MACHINE
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Mix, Plan

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from loadtests.scene.system import System

ROLES = ("intake", "orders", "worker", "postgres", "other")
"""`other`: the scheduler and the other stores."""
_BOUND_S = 300.0
AHEAD = 5
"""A fifth as many orders are sold ahead of a measurement."""
_LOOKS, _IDLE_S = 4, 2.0
_KNOWN_S = 1.5
"""After it no process has an older copy of a sale than was written before."""
_PEOPLE = ("email", "card", "address", "device")
_encode = msgspec.json.Encoder().encode


class Turn(msgspec.Struct):
    """One measurement of a point."""

    orders: int
    us: dict[str, float]
    """Microseconds of processor an order, by role."""
    seconds: float
    """By the clock, which tells little on a machine that others use."""

    @property
    def total_us(self) -> float:
        """Of all roles together."""
        return sum(self.us.values())


async def idle(system: System) -> dict[str, float]:
    """Return the processor that the roles use while nothing is ordered, seconds a second; of several looks the least.

    Once a system, and the least: else it would tell what vacuum and checkpoints have to do for what was made before.
    """
    looks = []
    for _ in range(_LOOKS):
        await asyncio.sleep(_IDLE_S)
        before, began = _used(system), monotonic()
        await asyncio.sleep(_IDLE_S)
        after, took = _used(system), monotonic() - began
        looks.append({role: (after[role] - before[role]) / took for role in ROLES})
    return {role: min(look[role] for look in looks) for role in ROLES}


async def measure(
    system: System, connection: Connection, point: Point, name: str, orders: int, at_rest: dict[str, float]
) -> Turn:
    """Sell so many orders in a sale of their own, which stays open, and return what each cost."""
    await _open(system, connection, point, name)
    ahead = max(orders // AHEAD, 1)
    await _sell(system, connection, name, bodies(point, f"{name}-ahead", ahead), ahead)
    sent = bodies(point, name, orders)
    asking = psutil.Process(connection.get_server_pid())
    before, asked, began = _used(system), _seconds_of(asking), monotonic()
    await _sell(system, connection, name, sent, ahead + orders)
    took, after = monotonic() - began, _used(system)
    after["postgres"] -= _seconds_of(asking) - asked
    return Turn(
        orders, {role: (after[role] - before[role] - at_rest[role] * took) / orders * 1e6 for role in ROLES}, took
    )


async def close(system: System, connection: Connection, name: str) -> None:
    """Close a point's sale and wait for its report, which holds all orders against the promises.

    A sale that is open is looked at by every role, again and again: the next point is not to pay for it.
    """
    await system.ops("POST", f"/ops/sales/{name}/close")
    await ledger.wait_until_reported(connection, bound_s=_BOUND_S)


async def _sell(system: System, connection: Connection, sale: str, sent: list[bytes], in_all: int) -> None:
    """Post orders and wait until the sale has so many in all, each of them final and told."""
    plan = Plan(
        base=system.ready.base,
        mix=Mix(products=["growth-1"], weights=[1.0], path=f"/sales/{sale}/orders", prefix=f"{sale}-{in_all}"),
        connections=64,
        bodies=sent,
        seconds=_BOUND_S,
        keep_ids=False,
    )
    result = await carry_out(plan)
    if set(result.outcomes) != {"accepted"}:
        raise RuntimeError(f"not every order was accepted, the figures would mislead: {result.answers}")
    await ledger.wait_until_final(connection, sale, in_all, bound_s=_BOUND_S)
    await ledger.wait_until_told(connection, bound_s=_BOUND_S)


async def _open(system: System, connection: Connection, point: Point, name: str) -> None:
    limits = LimitsRequest(**dict.fromkeys(_PEOPLE[: point.limits], 2)) if point.limits else None
    first = SaleProductRequest(product_id="growth-1", limits=limits)
    await system.create_sale(SaleRequest(sale_id=name, products=[first], partitions=point.partitions, room=NO_ROOM))
    await ledger.put_on_sale(connection, name, point.products)
    await asyncio.sleep(_KNOWN_S)


def bodies(point: Point, name: str, orders: int) -> list[bytes]:
    """Return the orders of a point: each of a customer of its own, its products drawn from all of the sale's."""
    random = Random(name)
    return [_encode(_order(point, f"{name}-{number}", random)) for number in range(orders)]


def _order(point: Point, who: str, random: Random) -> dict[str, object]:
    lines = [
        {"product_id": f"growth-{product}", "quantity": 1}
        for product in random.sample(range(1, point.products + 1), min(point.lines, point.products))
    ]
    body: dict[str, object] = {"customer_id": who, "lines": lines}
    if point.limits:
        body["identities"] = {kind: f"{kind} of {who}" for kind in _PEOPLE}
    if point.metadata:
        body["metadata"] = {"note": "x" * (point.metadata - len('{"note":""}'))}
    return body


def nothing() -> dict[str, float]:
    """Return no use of any role."""
    return dict.fromkeys(ROLES, 0.0)


def _used(system: System) -> dict[str, float]:
    used = system.processor_s()
    used.pop(MACHINE)
    found = {role: used.pop(role) for role in ROLES if role != "other"}
    return found | {"other": sum(used.values())}


def _seconds_of(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)
