"""Products and stock as ops keep them. Owns these resources; reserving and selling are not theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from db.products import products as rows
from db.products import stock as ledger
from db.products.catalogue_changes import Change
from db.sales import closed_sales_of
from doorbuster.contract.bodies.decoding import problems as problems_of
from doorbuster.contract.fields import ProductId
from doorbuster.contract.products import ProductRequest, ProductView, StockRequest, StockView
from doorbuster.errors import ConflictError, InvalidError
from intake.ops.change_log import note
from intake.web.problems import RefusedError
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from catalogue.service import Catalogue
    from db.connections.pool import Connection
    from intake.changes.publish import ChangePublisher
    from intake.changes.restock import Restocker
    from intake.database import Database
    from intake.ops.undecided_orders import WaitingOrders
    from intake.products.search import SearchProducts

_product = msgspec.json.Decoder(ProductRequest)
_stock = msgspec.json.Decoder(StockRequest)


async def existing(connection: Connection, product: str) -> rows.Product:
    """Return a product as it is stored.

    Raises:
        RefusedError: there is none.
    """
    stored = await rows.get_product(connection, product)
    if stored is None:
        raise RefusedError("product_not_found", f"There is no product {product[:64]!r}")
    return stored


def row_of(product_id: str, request: ProductRequest) -> rows.Product:
    """Return a product as it is stored."""
    return rows.Product(
        product_id=product_id,
        name=request.name,
        brand=request.brand,
        category=request.category,
        description=request.description,
        price=request.price,
        currency=request.currency,
        active=request.active,
        attributes=request.attributes,
    )


async def _view(connection: Connection, stored: rows.Product) -> ProductView:
    counted = await ledger.get_stock(connection, stored.product_id)
    return ProductView(
        product_id=stored.product_id,
        name=stored.name,
        brand=stored.brand,
        category=stored.category,
        description=stored.description,
        price=stored.price,
        currency=stored.currency,
        active=stored.active,
        attributes=stored.attributes,
        version=stored.version,
        updated_at=stored.updated_at or msgspec.UNSET,
        stock=_stock_view(counted) if counted else None,
    )


def _stock_view(row: ledger.StockRow) -> StockView:
    return StockView(row.product_id, row.stock, row.reserved, row.sold, row.received)


class OneProduct:
    """Resource of a product."""

    def __init__(
        self, database: Database, catalogue: Catalogue, publishing: ChangePublisher, waiting: WaitingOrders
    ) -> None:
        self._database, self._catalogue = database, catalogue
        self._publishing, self._waiting = publishing, waiting

    async def on_put(self, req: Request, resp: Response, product: str) -> None:
        """Write the product, new or changed."""
        wrong = list(problems_of(ProductId, product, "product_id"))
        if wrong:
            raise InvalidError("the product's id cannot be used", wrong)
        request = await body_of(req, _product)
        await self._keep_currency(product, request.currency)
        async with self._database.working() as connection:
            async with connection.transaction():
                stored = await rows.put_product(connection, row_of(product, request))
                await note(connection, req, "put", f"product:{product}")
            await self._catalogue.changed(connection, [Change(product, stored.version, stored.category)])
            write(resp, await _view(connection, stored))
        await self._publishing.shelf([product])

    async def _keep_currency(self, product: str, currency: str) -> None:
        """Refuse another currency while orders of closed sales wait; Postgres refuses it while a sale is not closed."""
        async with self._database.working() as connection:
            stored = await rows.get_product(connection, product)
            if stored is None or stored.currency == currency:
                return
            closed = await closed_sales_of(connection, product)
        for number, partitions in closed:
            if await self._waiting.wanted(number, partitions, {product}):
                raise ConflictError("currency: stays as it is while accepted orders wait for the product")

    async def on_get(self, _req: Request, resp: Response, product: str) -> None:
        """Show the product with its ledger."""
        async with self._database.working() as connection:
            write(resp, await _view(connection, await existing(connection, product)))


class ProductSearch:
    """Resource of products to choose from: what shoppers find, too."""

    def __init__(self, search: SearchProducts) -> None:
        self._search = search

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show a page of what was found; no cache in between is to keep what needed a key."""
        await self._search.on_get(req, resp)
        resp.set_header("Cache-Control", "no-store")


class ProductStock:
    """Resource of a product's stock."""

    def __init__(self, database: Database, restocking: Restocker, catalogue: Catalogue) -> None:
        self._database = database
        self._restocking = restocking
        self._catalogue = catalogue

    async def on_post(self, req: Request, resp: Response, product: str) -> None:
        """Receive units, or adjust their count with a reason."""
        request = await body_of(req, _stock)
        _check_stock(request)
        served: list[UUID] = []
        async with self._database.working() as connection:
            await existing(connection, product)
            async with connection.transaction():
                if request.receive is not None:
                    row = await ledger.receive(connection, product, request.receive, served=served)
                else:
                    units, why = request.adjust or 0, request.reason or ""
                    row = await ledger.adjust(connection, product, units, why, served=served)
                await note(connection, req, "adjust" if request.receive is None else "receive", f"product:{product}")
        if row.stock > 0:
            await self._restocking.everywhere(product)
        await self._restocking.served(served)
        await self._catalogue.counted(product, row.stock)
        write(resp, _stock_view(row))


def _check_stock(request: StockRequest) -> None:
    problems: list[tuple[str, str]] = []
    if (request.receive is None) == (request.adjust is None):
        problems.append(("receive", "give either receive or adjust"))
    elif request.adjust is not None:
        if request.adjust == 0:
            problems.append(("adjust", "must not be 0"))
        if request.reason is None:
            problems.append(("reason", "is required with adjust"))
    elif request.reason is not None:
        problems.append(("reason", "belongs to adjust alone"))
    if problems:
        raise InvalidError.naming(problems)
