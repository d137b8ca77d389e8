"""Sales as ops make and move them. Owns these resources: Postgres first, then the gates, then the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from db import sales as rows
from doorbuster.contract.sales import (
    RevokedView,
    SaleChange,
    SaleProductRequest,
    SaleProductView,
    SaleRequest,
    SaleView,
)
from doorbuster.errors import InvalidError
from intake.ops.access.roles import require_role
from intake.ops.change_log import note
from intake.ops.sale_change import before, changes_of, check_lobby, kept_room
from intake.ops.session.required import closes_by_plan, require_for_change
from intake.sales.limits import limit_columns, limits_of
from intake.sales.phase import effective_phase
from intake.sales.plan import entries_of, prewarm_terms, prewarm_view, timeline_view
from intake.sales.plan_check import PlannedWindow, check_timeline
from intake.server.asgi import BODY
from intake.web.openapi.roles import needed_role
from intake.web.paging import limit_of, number_cursor_of, write_page
from intake.web.problems import RefusedError
from intake.web.query_parameters import flag_of, refuse_unknown_params
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.connections.pool import Connection
    from doorbuster.values.timeline import Phase
    from intake.changes.publish import ChangePublisher
    from intake.changes.restock import Restocker
    from intake.database import Database
    from intake.ops.undecided_orders import WaitingOrders
    from intake.room.cache import RoomCache
    from intake.sales.cache import Sales

CLOSE = "/ops/sales/{sale}/close"
"""What a plan that closes a sale comes to."""
_new = msgspec.json.Decoder(SaleRequest)
_change = msgspec.json.Decoder(SaleChange)
_raw = msgspec.json.Decoder(dict[str, Any]).decode


def show(sale: rows.Sale) -> SaleView:
    """Return a sale as the contract shows it."""
    return SaleView(
        sale_id=sale.sale_id,
        sale_number=sale.number,
        name=sale.name,
        products=[
            SaleProductView(one.product_id, one.price, one.quantity, limits_of(one), one.limit_per_customer)
            for one in sale.products.values()
        ],
        starts_at=sale.starts_at,
        ends_at=sale.ends_at,
        partitions=sale.partitions,
        hold_s=sale.hold_s,
        prewarm_lead_s=sale.prewarm_lead_s,
        prewarm=prewarm_view(sale.prewarm),
        timeline=timeline_view(sale.timeline),
        payment=sale.payment,
        hold_extension_s=sale.hold_extension_s,
        standby_max=sale.standby_max,
        phase=sale.phase,
        effective_phase=effective_phase(sale),
        room=sale.room,
        room_epoch=sale.room_epoch,
        version=sale.version,
        created_at=sale.created_at,
        shadow_of=sale.shadow_of,
    )


async def existing(connection: Connection, sale: str) -> rows.Sale:
    """Return the sale of this id.

    Raises:
        RefusedError: there is none.
    """
    row = await rows.get_sale(connection, sale)
    if row is None:
        raise RefusedError("sale_not_found", f"There is no sale {sale[:64]!r}")
    return row


def _products(products: list[SaleProductRequest]) -> list[rows.SaleProduct]:
    limits = limit_columns(products)
    return [
        rows.SaleProduct(product_id=one.product_id, price=one.price, quantity=one.quantity, **columns)
        for one, columns in zip(products, limits, strict=True)
    ]


class SaleList:
    """Resource of all sales."""

    def __init__(self, database: Database, publishing: ChangePublisher) -> None:
        self._database = database
        self._publishing = publishing

    async def on_post(self, req: Request, resp: Response) -> None:
        """Make a sale; orders may come as soon as this has answered."""
        request = await body_of(req, _new)
        starts_at = request.starts_at or datetime.now(UTC)
        check_lobby(starts_at, request.room.lobby_opens_at)
        timeline = entries_of(request.timeline or [], _raw(req.scope[BODY]).get("timeline") or [])
        check_timeline(timeline, PlannedWindow(starts_at, request.ends_at))
        lead_s, prewarm = prewarm_terms(request.prewarm, request.prewarm_lead_s)
        spec = rows.SaleSpec(
            sale_id=request.sale_id,
            name=request.name,
            products=_products(request.products),
            starts_at=request.starts_at,
            ends_at=request.ends_at,
            partitions=request.partitions,
            hold_s=request.hold_s,
            prewarm_lead_s=lead_s,
            prewarm=prewarm,
            timeline=timeline,
            room=kept_room(request.room),
            payment=request.payment,
            hold_extension_s=request.hold_extension_s,
            standby_max=request.standby_max,
        )
        async with self._database.working() as connection, connection.transaction():
            sale = await rows.create_sale(connection, spec)
            await note(connection, req, "create", f"sale:{sale.sale_id}")
        await self._publishing.sale(sale)
        resp.set_header("Location", f"/ops/sales/{sale.sale_id}")
        write(resp, show(sale), 201)

    async def on_get(self, req: Request, resp: Response) -> None:
        """List sales, newest first; where they are asked for, the shadows of rehearsals."""
        refuse_unknown_params(req, "cursor", "limit", "shadows")
        limit, shadows = limit_of(req), flag_of(req, "shadows")
        async with self._database.working() as connection:
            sales = await rows.list_sales(connection, before=number_cursor_of(req), limit=limit, shadows=shadows)
        write_page(resp, [show(sale) for sale in sales], str(sales[-1].number) if len(sales) == limit else None)


class OneSale:
    """Resource of a sale."""

    def __init__(
        self, database: Database, publishing: ChangePublisher, restocking: Restocker, waiting: WaitingOrders
    ) -> None:
        self._database = database
        self._publishing = publishing
        self._restocking = restocking
        self._waiting = waiting

    async def on_get(self, _req: Request, resp: Response, sale: str) -> None:
        """Show the sale."""
        async with self._database.working() as connection:
            row = await existing(connection, sale)
        write(resp, show(row))

    async def on_patch(self, req: Request, resp: Response, sale: str) -> None:
        """Change the sale; what is left out stays."""
        change = await body_of(req, _change)
        await require_for_change(req, change)
        raw = _raw(req.scope[BODY])
        served: list[UUID] = []
        if isinstance(change.products, list):
            await self._keep_wanted(sale, {product.product_id for product in change.products})
        if isinstance(change.starts_at, datetime):
            await self._keep_start(sale, change.starts_at)
        async with self._database.working() as connection, connection.transaction():
            await rows.lock_sale(connection, sale, with_drains="payment" in raw)
            row = await existing(connection, sale)
            changes = changes_of(row, change, raw)
            if closes_by_plan(change) - {entry.at for entry in row.timeline if entry.phase == "closed"}:
                require_role(req, needed_role("POST", CLOSE))
            if isinstance(change.products, list):
                changes["products"] = _products(change.products)
            changed = await rows.update_sale(connection, sale, changes, served=served)
            await note(connection, req, "change", f"sale:{sale}", raw | {"before": before(show(row), raw)})
        if "products" in changes:
            await self._restocking.of_sale(changed)
        await self._publishing.sale(changed)
        await self._restocking.served(served)
        write(resp, show(changed))

    async def _keep_start(self, sale: str, starts_at: datetime) -> None:
        """Refuse to move a start that has passed where there are orders."""
        async with self._database.working() as connection:
            row = await existing(connection, sale)
            if starts_at == row.starts_at or row.starts_at > row.read_at:
                return
            is_sold = await rows.has_orders(connection, row.number)
        if is_sold or await self._waiting.any(row.number, row.partitions):
            raise InvalidError("the sale has begun", [("starts_at", "has passed, and there are orders: it stays")])

    async def _keep_wanted(self, sale: str, listed: set[str]) -> None:
        """Refuse to drop products that accepted orders wait for."""
        async with self._database.working() as connection:
            row = await existing(connection, sale)
        dropped = row.products.keys() - listed
        ordered = await self._waiting.wanted(row.number, row.partitions, dropped) if dropped else None
        if ordered:
            problem = f"leaves out {', '.join(sorted(ordered))}, for which accepted orders wait"
            raise InvalidError("products with orders stay in the sale", [("products", problem)])


class SaleVerb:
    """Resource of what can be done with a sale: open, hold, resume, drain, close."""

    def __init__(self, database: Database, publishing: ChangePublisher) -> None:
        self._database = database
        self._publishing = publishing
        self._phases: dict[str, tuple[Phase, bool]] = {
            "open": ("open", True),
            "hold": ("hold", False),
            "resume": ("open", False),
            "drain": ("drain", False),
            "close": ("closed", False),
        }

    async def on_post(self, req: Request, resp: Response, sale: str, verb: str) -> None:
        """Do it."""
        if verb not in self._phases:
            raise RefusedError("not_found", f"A sale has no {verb[:64]!r}")
        async with self._database.working() as connection, connection.transaction():
            await existing(connection, sale)
            phase, start_now = self._phases[verb]
            row = await rows.set_phase(connection, sale, phase, start_now=start_now)
            await note(connection, req, verb, f"sale:{sale}", {"phase": phase})
        await self._publishing.sale(row)
        write(resp, show(row))


class RevokeAdmissions:
    """Resource of the sale's revocations."""

    def __init__(self, database: Database, publishing: ChangePublisher, sales: Sales, desk: RoomCache) -> None:
        self._database = database
        self._publishing = publishing
        self._sales = sales
        self._desk = desk

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Revoke every admission out: who had one joins again; tells how many there were."""
        revoked = await self._active(sale)
        async with self._database.working() as connection, connection.transaction():
            await existing(connection, sale)
            row = await rows.bump_room_epoch(connection, sale)
            await note(connection, req, "revoke", f"sale:{sale}", {"epoch": row.room_epoch})
        await self._publishing.sale(row)
        write(resp, RevokedView(**msgspec.structs.asdict(show(row)), revoked=revoked))

    async def _active(self, sale: str) -> int | None:
        """Return how many admissions are out, None when nobody can say."""
        cached = await self._sales.get(sale)
        room = None if cached is None else self._desk.known(cached)
        if room is None:
            return None
        await room.read()
        return room.state.active if room.state is not None and not room.is_down else None
