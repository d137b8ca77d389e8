"""Who may order: the place where a request is let in or refused. Owns that decision; never does I/O.

A storefront's server may hold a storefront key and speaks for its customers. With keys configured, a request without
one needs an admission of the waiting room; sales with a room are refused at their creation, so none carries one yet.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NamedTuple

from intake.group_commit import Spend
from intake.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from falcon.asgi import Request

    from doorbuster.contract import OrderRequest
    from intake.sales import CachedSale


class Pass(NamedTuple):
    """A right to order that is used up: what of a room's admission the accept script must know."""

    spend_id: str
    orders_allowed: int
    epoch: int
    life_ms: int
    """From now to the admission's end."""

    def spend(self, prefix: str) -> Spend:
        """Return what the order spends; it is counted for as long again as the admission lives, and an hour."""
        return Spend(prefix + self.spend_id, self.orders_allowed, self.epoch, 2 * self.life_ms + 3_600_000)


class Admission:
    """Checks each order's right to be posted."""

    def __init__(self, storefront_keys: Iterable[str]) -> None:
        self._keys = tuple(key.encode() for key in storefront_keys)

    def check(self, req: Request, _sale: CachedSale, _order: OrderRequest) -> Pass | None:
        """Let the request pass; return the admission that its order spends, if it came with one.

        Raises:
            RefusedError: `admission_required`.
        """
        if self._keys and not self._is_storefront(req):
            raise RefusedError("admission_required", "Send a valid X-Storefront-Key or an admission to the sale")
        return None

    def _is_storefront(self, req: Request) -> bool:
        given = (req.get_header("X-Storefront-Key") or "").encode()
        # All keys are compared, so that the time says nothing about which one was near.
        return sum(hmac.compare_digest(given, key) for key in self._keys) > 0
