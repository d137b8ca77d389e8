"""`GET /ops/sales/{sale}/live`: how a sale goes, once or as a stream. Owns the resource alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from intake.ops.live.desk import LiveDesk
    from intake.sales.cache import Sales


class ShowLive:
    """Resource of how a sale goes."""

    def __init__(self, sales: Sales, desk: LiveDesk) -> None:
        self._sales, self._desk = sales, desk

    async def on_get(self, req: Request, resp: Response, sale: str) -> None:
        """Show it; what cannot be known now is null, and `troubles` says why."""
        refuse_unknown_params(req)
        cached = await self._sales.get(sale)
        if cached is None:
            raise RefusedError("sale_not_found", f"There is no sale {sale[:64]!r}")
        resp.set_header("Cache-Control", "no-store")
        write(resp, await self._desk.show(cached))
