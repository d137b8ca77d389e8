"""What comes after a sale, as ops and fulfilment do it: parcels leave, arrive, one comes back, one never leaves.

Owns the calls of a few orders; the sale is closed here, so that nobody stands by for ever.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

from loadtests.check import ledger
from loadtests.scene.stage import SALE

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from loadtests.scene.system import System

_MONEY_S = 30.0
_POLL_S = 0.1


class MoneyNotMovedError(RuntimeError):
    """A refund was not carried out in time."""


async def play(system: System, connection: Connection) -> list[str]:
    """Ship one order, have it delivered and take it back; cancel another; close the sale. Return a line for each.

    Raises:
        MoneyNotMovedError: the provider was not told to give the money back.
    """
    told = []
    orders = await ledger.some_confirmed(connection, SALE, 2)
    if orders:
        told.append(await _ship_and_take_back(system, orders[0]))
    if len(orders) > 1:
        cancelled = await system.ops("POST", f"/orders/{orders[1]}/cancel")
        await _refunded(system, orders[1], cancelled["total"])
        told.append(f"{orders[1]}: cancelled by its shopper, {cancelled['total']:,} given back")
    await system.ops("POST", f"/ops/sales/{SALE}/close")
    return told


async def _ship_and_take_back(system: System, order_id: str) -> str:
    """Take an order the whole way."""
    path = f"/ops/orders/{order_id}"
    await system.ops("POST", f"{path}/shipments", {"carrier": "DHL", "tracking": "JD014600003"})
    order: dict[str, Any] = await system.ops("GET", f"/orders/{order_id}")
    (parcel,) = order["shipments"]
    await system.ops("PATCH", f"{path}/shipments/{parcel['shipment_id']}", {"status": "delivered"})
    lines = [{"line": line["line"], "quantity": line["quantity"], "restock": True} for line in order["lines"]]
    await system.ops("POST", f"{path}/refunds", {"lines": lines, "reason": "arrived broken"}, key="take-back")
    await _refunded(system, order_id, order["total"])
    return f"{order_id}: shipped, delivered, taken back, {order['total']:,} given back"


async def _refunded(system: System, order_id: str, amount: int) -> None:
    ends = monotonic() + _MONEY_S
    while (await system.ops("GET", f"/orders/{order_id}"))["payment"].get("refunded") != amount:
        if monotonic() > ends:
            raise MoneyNotMovedError(f"the money of {order_id} was not given back within {_MONEY_S:g} s")
        await asyncio.sleep(_POLL_S)
