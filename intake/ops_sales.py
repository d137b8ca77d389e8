"""Sales as ops make and move them. Owns these resources: Postgres first, then the gates, then the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from db import sales as rows
from doorbuster.contract import Prewarmed, RoomRequest, SaleChange, SaleProductView, SaleRequest, SaleView
from doorbuster.errors import InvalidError
from intake.ops_reading import body_of, limit_of, number_cursor_of, refuse_unknown_params, write, write_page
from intake.problems import RefusedError

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from intake.database import Database
    from intake.health import Health
    from intake.sales import Sales

_new = msgspec.json.Decoder(SaleRequest)
_change = msgspec.json.Decoder(SaleChange)


def show(sale: rows.Sale) -> SaleView:
    """Return a sale as the contract shows it."""
    return SaleView(
        sale_id=sale.sale_id,
        sale_number=sale.number,
        name=sale.name,
        products=[
            SaleProductView(one.product_id, one.price, one.quantity, one.limit_per_customer)
            for one in sale.products.values()
        ],
        starts_at=sale.starts_at,
        ends_at=sale.ends_at,
        partitions=sale.partitions,
        hold_s=sale.hold_s,
        prewarm_lead_s=sale.prewarm_lead_s,
        phase=sale.phase,
        room=sale.room,
        version=sale.version,
        created_at=sale.created_at,
    )


def _sale_not_found(sale: str) -> RefusedError:
    return RefusedError("sale_not_found", f"There is no sale {sale[:64]!r}")


def _room(room: RoomRequest) -> dict[str, Any]:
    if room.mode != "off":
        problem = "this release has no waiting room: must be 'off'"
        raise InvalidError(f"room.mode: {problem}", [("room.mode", problem)])
    return msgspec.to_builtins(room)  # type: ignore[no-any-return]


def _products(products: list[Any]) -> list[rows.SaleProduct]:
    return msgspec.convert(products, list[rows.SaleProduct], from_attributes=True)


class SaleList:
    """Resource of all sales."""

    def __init__(self, database: Database, sales: Sales) -> None:
        self._database = database
        self._sales = sales

    async def on_post(self, req: Request, resp: Response) -> None:
        """Make a sale; orders may come as soon as this has answered."""
        wanted = await body_of(req, _new)
        spec = rows.SaleSpec(
            sale_id=wanted.sale_id,
            name=wanted.name,
            products=_products(wanted.products),
            starts_at=wanted.starts_at,
            ends_at=wanted.ends_at,
            partitions=wanted.partitions,
            hold_s=wanted.hold_s,
            prewarm_lead_s=wanted.prewarm_lead_s,
            room=_room(wanted.room),
        )
        async with self._database.working() as connection:
            sale = await rows.create_sale(connection, spec)
        await self._sales.publish(sale)
        resp.set_header("Location", f"/ops/sales/{sale.sale_id}")
        write(resp, show(sale), 201)

    async def on_get(self, req: Request, resp: Response) -> None:
        """List sales, newest first."""
        refuse_unknown_params(req, "cursor", "limit")
        limit = limit_of(req)
        async with self._database.working() as connection:
            found = await rows.list_sales(connection, before=number_cursor_of(req), limit=limit)
        write_page(resp, [show(sale) for sale in found], str(found[-1].number) if len(found) == limit else None)


class OneSale:
    """Resource of a sale."""

    def __init__(self, database: Database, sales: Sales) -> None:
        self._database = database
        self._sales = sales

    async def on_get(self, _req: Request, resp: Response, sale: str) -> None:
        """Show the sale."""
        async with self._database.working() as connection:
            found = await rows.get_sale(connection, sale)
        if found is None:
            raise _sale_not_found(sale)
        write(resp, show(found))

    async def on_patch(self, req: Request, resp: Response, sale: str) -> None:
        """Change the sale; what is left out stays."""
        wanted = await body_of(req, _change)
        changes = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not msgspec.UNSET}
        if isinstance(wanted.room, RoomRequest):
            changes["room"] = _room(wanted.room)
        if isinstance(wanted.products, list):
            changes["products"] = _products(wanted.products)
        async with self._database.working() as connection:
            if await rows.get_sale(connection, sale) is None:
                raise _sale_not_found(sale)
            changed = await rows.update_sale(connection, sale, changes)
        await self._sales.publish(changed)
        write(resp, show(changed))


class SaleVerb:
    """Resource of what can be done with a sale: open, hold, resume, drain, close, prewarm."""

    def __init__(self, database: Database, sales: Sales, health: Health) -> None:
        self._database = database
        self._sales = sales
        self._health = health
        self._phases: dict[str, tuple[rows.Phase, bool]] = {
            "open": ("open", True),
            "hold": ("hold", False),
            "resume": ("open", False),
            "drain": ("drain", False),
            "close": ("closed", False),
        }

    async def on_post(self, _req: Request, resp: Response, sale: str, verb: str) -> None:
        """Do it."""
        if verb != "prewarm" and verb not in self._phases:
            raise RefusedError("not_found", f"A sale has no {verb[:64]!r}")
        async with self._database.working() as connection:
            found = await rows.get_sale(connection, sale)
            if found is None:
                raise _sale_not_found(sale)
            if verb != "prewarm":
                phase, start_now = self._phases[verb]
                found = await rows.set_phase(connection, sale, phase, start_now=start_now)
        await self._sales.publish(found)
        write(resp, await self._prewarmed(found) if verb == "prewarm" else show(found))

    async def _prewarmed(self, sale: rows.Sale) -> Prewarmed:
        """Say go or no-go; the sale is in the copy here and its gates are published by now."""
        ready, checks = await self._health.look()
        return Prewarmed(sale.sale_id, ready, checks)
