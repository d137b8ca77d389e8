"""Sales as ops make and move them. Owns these resources: Postgres first, then the gates, then the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from db import sales as rows
from doorbuster.contract.night.schedule import PrewarmRequest
from doorbuster.contract.room import RoomChange, RoomTerms
from doorbuster.contract.sales import (
    RevokedView,
    SaleChange,
    SaleProductRequest,
    SaleProductView,
    SaleRequest,
    SaleView,
)
from doorbuster.errors import ConflictError, InvalidError
from intake.ops.change_log import note
from intake.sales.limits import limit_columns, limits_of
from intake.sales.phase import effective_phase
from intake.sales.plan import entries_of, prewarm_terms, prewarm_view, timeline_view
from intake.server.asgi import BODY
from intake.web.paging import limit_of, number_cursor_of, write_page
from intake.web.problems import RefusedError
from intake.web.query_parameters import flag_of, refuse_unknown_params
from intake.web.requests import body_of
from intake.web.responses import write
from waitingroom.sale_config import lobby_opens_at

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


async def _existing(connection: Connection, sale: str) -> rows.Sale:
    row = await rows.get_sale(connection, sale)
    if row is None:
        raise RefusedError("sale_not_found", f"There is no sale {sale[:64]!r}")
    return row


def _kept(room: RoomTerms) -> dict[str, Any]:
    """Return the room as it is stored: what was given, nothing of what has its default."""
    fields: dict[str, Any] = msgspec.to_builtins(room)
    return {name: value for name, value in fields.items() if value is not None}


def _changed_room(sale: rows.Sale, change: RoomChange, named: frozenset[str]) -> dict[str, Any]:
    """Return the sale's room with what the change names: null is the default again."""
    if change.beacon is not None and change.beacon != sale.room.get("beacon") and sale.starts_at <= sale.read_at:
        raise ConflictError("the sale has started: the beacon is in its shuffle already")
    return {name: value for name, value in sale.room.items() if name not in named} | _kept(change)


def _check_lobby(starts_at: datetime, opens_at: datetime | None) -> None:
    if opens_at is not None and opens_at >= starts_at:
        problem = "must be before starts_at: a lobby is where visitors wait for the start"
        raise InvalidError("the lobby opens after the start", [("room.lobby_opens_at", problem)])


def _check_changed_lobby(sale: rows.Sale, change: SaleChange) -> None:
    """Refuse a lobby after the start where either is changed; a sale that ops opened early may have one."""
    named = change.room.lobby_opens_at if isinstance(change.room, RoomChange) else None
    if isinstance(change.starts_at, datetime):
        _check_lobby(change.starts_at, named or lobby_opens_at(sale))
    elif named is not None:
        _check_lobby(sale.starts_at, named)


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
        _check_lobby(request.starts_at or datetime.now(UTC), request.room.lobby_opens_at)
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
            timeline=entries_of(request.timeline, _raw(req.scope[BODY]).get("timeline", [])),
            room=_kept(request.room),
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
            row = await _existing(connection, sale)
        write(resp, show(row))

    async def on_patch(self, req: Request, resp: Response, sale: str) -> None:
        """Change the sale; what is left out stays."""
        change = await body_of(req, _change)
        changes = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not msgspec.UNSET}
        served: list[UUID] = []
        if isinstance(change.products, list):
            changes["products"] = _products(change.products)
            await self._keep_wanted(sale, {product.product_id for product in change.products})
        async with self._database.working() as connection, connection.transaction():
            await rows.lock_sale(connection, sale, with_drains="payment" in changes)
            row = await _existing(connection, sale)
            _check_changed_lobby(row, change)
            if change.prewarm is not UNSET or change.prewarm_lead_s is not UNSET:
                asked = PrewarmRequest() if change.prewarm is UNSET else change.prewarm
                lead_s, prewarm = prewarm_terms(asked, change.prewarm_lead_s, row)
                changes |= {"prewarm_lead_s": lead_s, "prewarm_given": prewarm}
            if change.timeline is not UNSET:
                changes["timeline"] = entries_of(change.timeline, _raw(req.scope[BODY])["timeline"])
            if isinstance(change.room, RoomChange):
                changes["room"] = _changed_room(row, change.room, frozenset(_raw(req.scope[BODY])["room"]))
            changed = await rows.update_sale(connection, sale, changes, served=served)
            await note(connection, req, "change", f"sale:{sale}")
        if "products" in changes:
            await self._restocking.of_sale(changed)
        await self._publishing.sale(changed)
        await self._restocking.served(served)
        write(resp, show(changed))

    async def _keep_wanted(self, sale: str, listed: set[str]) -> None:
        """Refuse to drop products that accepted orders wait for."""
        async with self._database.working() as connection:
            row = await _existing(connection, sale)
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
            await _existing(connection, sale)
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
            await _existing(connection, sale)
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
