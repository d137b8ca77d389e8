"""Sales of the hot product: opened, posted to, their shifts woken. Owns these steps; measures nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from doorbuster.contract.sales import SaleProductRequest, SaleRequest
from loadtests.bench.shop import HOT, mix
from loadtests.check import ledger
from loadtests.scene.stage import NO_ROOM
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan, Result

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from loadtests.scene.system import System

LEASE_S = "60"
"""So that shifts which stand still for some seconds keep their leases."""
WAKE = 100
"""Orders that have a sale's shifts begin."""
BOUND_S = 180.0
_KNOWN_S = 1.5
"""After it no process has an older copy of a sale than was written before."""


async def open_sale(system: System, sale: str, partitions: int = 1) -> None:
    """Open a sale of the hot product, and wait until every process knows it."""
    product = SaleProductRequest(product_id=HOT.product_id)
    await system.create_sale(SaleRequest(sale_id=sale, products=[product], partitions=partitions, room=NO_ROOM))
    await asyncio.sleep(_KNOWN_S)


async def post(system: System, sale: str, prefix: str, *, clients: int, count: int) -> Result:
    """Have clients post so many orders."""
    plan = Plan(base=system.ready.base, mix=mix(sale, prefix), connections=clients, count=count)
    return only_accepted(await carry_out(plan))


def only_accepted(result: Result) -> Result:
    """Return a result in which every order was accepted.

    Raises:
        RuntimeError: one was not.
    """
    if set(result.outcomes) != {"accepted"}:
        raise RuntimeError(f"not every order was accepted, the figures would mislead: {result.answers}")
    return result


async def wake(system: System, connection: Connection, sale: str) -> None:
    """Have the shifts begin: a few orders, until they are told."""
    await post(system, sale, f"{sale}-wake", clients=4, count=WAKE)
    await ledger.wait_until_final(connection, sale, WAKE, bound_s=BOUND_S)
    await ledger.wait_until_told(connection, bound_s=BOUND_S)
