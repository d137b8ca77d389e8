"""`Prefer: wait=S`: answers an order with its outcome, if that comes in time. Owns the wait; accepts nothing."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any

import msgspec

from db.orders.states import Status
from db.orders.view import show
from doorbuster.contract.offers import UnitPrice
from doorbuster.contract.problems import FAULTS, JSON
from doorbuster.failures import STORE_FAILED
from intake.notifications import LOOK_EVERY_S, until

if TYPE_CHECKING:
    from uuid import UUID

    from falcon.asgi import Request, Response

    from db.orders.orders import Order
    from intake.notifications import Notifications
    from intake.orders.lookup import OrderReader
    from intake.server.guard import Guard
    from intake.web.problems import Problems

log = logging.getLogger("doorbuster.intake.awaiting")

WAIT_MAX_S = 30
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d+)"?\s*(?:$|[,;])', re.IGNORECASE)
_encode = msgspec.json.Encoder().encode


def wait_of(prefer: str | None) -> int:
    """Return how many seconds a Prefer header asks to wait, at most `WAIT_MAX_S`; 0 if it asks for none."""
    found = _WAIT.search(prefer) if prefer else None
    if not found:
        return 0
    digits = found[1].lstrip("0")
    return WAIT_MAX_S if len(digits) > len(str(WAIT_MAX_S)) else min(int(digits or "0"), WAIT_MAX_S)


class PreferWait:
    """Waits for outcomes."""

    def __init__(self, reader: OrderReader, outcomes: Notifications, guard: Guard, problems: Problems) -> None:
        self._reader = reader
        self._outcomes = outcomes
        self._guard = guard
        self._problems = problems

    async def answer(self, req: Request, resp: Response, order_id: UUID) -> bool:
        """Write the outcome into the response; False leaves the 202 to the caller: none came in time."""
        seconds = wait_of(req.get_header("Prefer"))
        if not seconds or not self._guard.count_as_waiting(req.scope):
            return False
        resp.set_header("Preference-Applied", f"wait={seconds}")
        order = await self._outcome(order_id, seconds)
        if order is None:
            return False
        if order.status is Status.CANCELLED and len(order.history) == 1:
            code = order.reason if order.reason in FAULTS else "rejected"
            members: dict[str, Any] = {"order_id": str(order_id)} | (order.refusal or {})
            if code == "price_changed":
                prices = [UnitPrice(line.product_id, line.unit_price) for line in order.lines]
                members |= {"total": order.total, "lines": prices}
            self._problems.write(
                resp, code or "rejected", f"The order {order_id} was not reserved: {order.reason}", members=members
            )
            resp.set_header("Location", f"/orders/{order_id}")
            return True
        resp.status = 201
        resp.content_type = JSON
        resp.set_header("Location", f"/orders/{order_id}")
        resp.data = _encode(show(order))
        return True

    async def _outcome(self, order_id: UUID, seconds: int) -> Order | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        with self._outcomes.watching(order_id.bytes) as changed:
            while not self._guard.stopping:
                try:
                    order = await self._reader.drained(order_id)
                except STORE_FAILED as error:  # it is accepted, whatever Postgres does
                    log.info("an outcome cannot be read", extra={"order_id": str(order_id), "error": error})
                    order = None
                left = deadline - loop.time()
                if order is not None or left <= 0:
                    return order
                await until(changed, min(LOOK_EVERY_S, left))
        return None
