"""`POST /sales/{sale}/orders:batch`: orders of a storefront's server, as JSON Lines. Owns who may, and how much.

What is beyond a bound of the whole is refused before any order of it is taken. The answer comes when every line is
decided; whoever did not get it sends the same lines again, and gets the same orders.
"""

from __future__ import annotations

import asyncio
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from intake.server.asgi import BodyError
from intake.web.json_lines import MEDIA, lines_of, require_json_lines
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params

if TYPE_CHECKING:
    from collections.abc import Callable

    from falcon.asgi import Request, Response

    from intake.orders.batch_lines import BatchLines
    from intake.sales.cache import Sales
    from intake.web.json_lines import BodyLine
    from intake.web.storefront_keys import StorefrontKeys


class BatchBounds(NamedTuple):
    """How large batch posts may be, and how many of them a process takes at a time."""

    lines: int
    line_bytes: int
    whole_bytes: int
    posts: int
    timeout_s: float
    """For a body, from the first byte that is waited for to its last."""


class PostOrderBatch:
    """Resource of batches of a sale's orders."""

    def __init__(self, sales: Sales, keys: StorefrontKeys, lines: BatchLines, bounds: BatchBounds) -> None:
        self._sales, self._keys, self._lines, self._bounds = sales, keys, lines, bounds
        self._running = 0
        self.on_lines: Callable[[int], None] = _uncounted
        """Called with how many orders a batch asks for."""

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Accept the orders durably that can be accepted; answer each line with a line."""
        if self._keys and not self._keys.is_storefront(req):
            raise RefusedError("admission_required", "Batches of orders come from storefronts: send X-Storefront-Key")
        require_json_lines(req)
        refuse_unknown_params(req)
        if self._running >= self._bounds.posts:
            raise RefusedError("overloaded", f"{self._bounds.posts} batches are in work; no order of this one is taken")
        self._running += 1
        try:
            lines = self._split(await self._body(req))
            known = self._sales.fresh(sale) or await self._sales.get(sale)
            if known is None:
                raise RefusedError("sale_not_found", f"There is no sale {sale[:64]!r}")
            self.on_lines(len(lines))
            verdicts = await self._lines.take(known, lines, self._bounds.line_bytes)
        finally:
            self._running -= 1
        resp.content_type = MEDIA
        resp.data = b"".join(verdicts)

    async def _body(self, req: Request) -> bytes:
        most, timeout_s = self._bounds.whole_bytes, self._bounds.timeout_s
        too_large = BodyError("too_large", f"A batch may have at most {most} bytes; no order of it is taken")
        if (req.content_length or 0) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(timeout_s):
                async for part in req.stream:
                    body += part
                    if len(body) > most:
                        raise too_large
        except TimeoutError:
            raise BodyError("malformed", f"The body did not arrive within {timeout_s:g} s") from None
        return bytes(body)

    def _split(self, body: bytes) -> list[BodyLine]:
        most = self._bounds.lines
        lines = list(islice(lines_of(BytesIO(body), most=self._bounds.line_bytes), most + 1))
        if len(lines) > most:
            raise RefusedError("too_large", f"A batch may have at most {most} lines; no order of it is taken")
        if not lines:
            raise RefusedError("malformed", "The body has no line")
        return lines


def _uncounted(_lines: int) -> None:
    pass
