"""Price windows of a product as ops keep them. Which of them holds is decided when a product is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from db.products import catalogue as rows
from db.products.catalogue_changes import Change
from doorbuster.contract.catalogue import PricesBody, PriceWindowBody
from doorbuster.errors import InvalidError
from intake.ops.change_log import note
from intake.ops.products import existing
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from datetime import datetime

    from falcon.asgi import Request, Response

    from catalogue.service import Catalogue
    from db.connections.pool import Connection
    from intake.changes.publish import ChangePublisher
    from intake.database import Database

_prices = msgspec.json.Decoder(PricesBody)


class ProductPrices:
    """Resource of a product's price windows."""

    def __init__(self, database: Database, catalogue: Catalogue, publishing: ChangePublisher) -> None:
        self._database, self._catalogue, self._publishing = database, catalogue, publishing

    async def on_put(self, req: Request, resp: Response, product: str) -> None:
        """Replace all windows."""
        request = await body_of(req, _prices)
        _check(request)
        windows = [rows.PriceWindow(window.starts_at, window.ends_at, window.price) for window in request.windows]
        async with self._database.working() as connection:
            await existing(connection, product)
            async with connection.transaction():
                await rows.set_prices(connection, product, windows)
                await note(connection, req, "prices", f"product:{product}")
            stored = await existing(connection, product)
            await self._catalogue.changed(connection, [Change(product, stored.version, stored.category)])
            write(resp, await _shown(connection, product))
        await self._publishing.shelf([product])

    async def on_get(self, _req: Request, resp: Response, product: str) -> None:
        """Show all windows."""
        async with self._database.working() as connection:
            await existing(connection, product)
            write(resp, await _shown(connection, product))


def _check(request: PricesBody) -> None:
    wrong: list[tuple[str, str]] = []
    seen: set[datetime] = set()
    for index, window in enumerate(request.windows):
        if window.starts_at in seen:
            wrong.append((f"windows[{index}].starts_at", "stands twice"))
        if window.ends_at is not None and window.ends_at <= window.starts_at:
            wrong.append((f"windows[{index}].ends_at", "must be after starts_at"))
        seen.add(window.starts_at)
    if wrong:
        raise InvalidError.naming(wrong)


async def _shown(connection: Connection, product: str) -> PricesBody:
    windows = await rows.list_prices(connection, product)
    return PricesBody(tuple(PriceWindowBody(window.price, window.starts_at, window.ends_at) for window in windows))
