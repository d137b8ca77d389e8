"""Sales: what is sold, in which window, on which terms. Owns their rows; knows nothing of the order store's gate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import msgspec

from db.orders import standby
from db.query_files import load
from db.sale_rows import LiveSale as LiveSale
from db.sale_rows import PaymentMode as PaymentMode
from db.sale_rows import Sale as Sale
from db.sale_rows import SaleProduct as SaleProduct
from db.sale_rows import SaleSpec as SaleSpec
from doorbuster.contract.fields import id_problem
from doorbuster.errors import ConflictError, InvalidError, NotFoundError
from doorbuster.values.timeline import Phase, PlanEntry, Timeline, closes_at, due, phase_after, room_after

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("sales")
PRODUCTS_KEPT_S = 60.0
"""How long the products of a sale are taken for what they were without being read, if its version is what it was."""


def _planned(row: asyncpg.Record) -> dict[str, Any]:
    """Return a row's values, with its plan as typed values."""
    values = dict(row)
    timeline, phase, now = msgspec.convert(values["timeline"], Timeline), values["phase"], values.pop("now")
    return values | {
        "base_phase": phase,
        "phase": phase_after(phase, due(timeline, values["terms_at"], now)) if timeline else phase,
        "read_at": now,
        "timeline": timeline,
        "prewarm_given": values.pop("prewarm"),
    }


def _sale(row: asyncpg.Record, *, known: Sale | None = None) -> Sale:
    """Return a row as a sale, with the products of the one that is `known` if the row has none."""
    values = _planned(row)
    base_room, closes = values["room"], values.pop("plan_closes_at")
    if values["phase"] == "closed" and values["closed_at"] is None:
        values["closed_at"] = closes
    if applied := due(values["timeline"], values["terms_at"], values["read_at"]):
        values["room"] = room_after(base_room, applied)
    if row["products"] is None and known is not None:
        values |= {"products": known.products, "products_read_at": known.products_read_at}
    else:
        products = [SaleProduct(**dict(zip(SaleProduct.__struct_fields__, p, strict=True))) for p in row["products"]]
        values |= {"products": {one.product_id: one for one in products}, "products_read_at": values["read_at"]}
    # What a later version added to the row is none of this one's business: both are at work during an upgrade.
    own = {name: value for name, value in values.items() if name in Sale.__struct_fields__}
    return Sale(number=values["sale_number"], **own | {"base_room": base_room})


async def create_sale(connection: Connection, spec: SaleSpec) -> Sale:
    """Make a sale.

    Raises:
        ConflictError: there is one with this id.
        InvalidError: a product is unknown, switched off, or stands twice, or currencies differ, or the window ends
            before it begins.
    """
    async with connection.transaction():
        await _check_products(connection, spec.products, held=frozenset())
        number = await _guarded(
            connection.fetchval(
                _SQL["create_sale"], spec.sale_id, spec.name, spec.starts_at, spec.ends_at, spec.partitions,
                spec.hold_s, spec.prewarm_lead_s, dict(spec.room), spec.payment, spec.hold_extension_s,
                spec.standby_max, _written(spec.timeline), dict(spec.prewarm), closes_at(spec.timeline, None),
            )
        )  # fmt: skip
        if number is None:
            raise ConflictError(f"there is a sale {spec.sale_id!r} already")
        await _put_products(connection, number, spec.products)
        return await _existing(connection, spec.sale_id)


def _written(timeline: Sequence[PlanEntry]) -> Any:
    return msgspec.to_builtins(timeline)


async def _guarded(call: Any) -> Any:
    try:
        return await call
    except asyncpg.CheckViolationError as error:
        if error.constraint_name == "sale_window":
            raise InvalidError("the sale ends before it begins", [("ends_at", "must be after starts_at")]) from error
        raise


async def _check_products(connection: Connection, products: Sequence[SaleProduct], *, held: Collection[str]) -> None:
    """Refuse what cannot be sold; `held` has been in the sale before, and may have been switched off since."""
    ids = [product.product_id for product in products]
    first = {one: i for i, one in reversed(list(enumerate(ids)))}
    problems = [(f"products[{i}].product_id", "stands twice") for i, one in enumerate(ids) if first[one] != i]
    unknown = {row["product_id"] for row in await connection.fetch(_SQL["unknown_products"], ids)}
    problems += [
        (f"products[{i}].product_id", id_problem(one) or "is unknown") for i, one in enumerate(ids) if one in unknown
    ]
    found = {row["product_id"]: row for row in await connection.fetch(_SQL["lock_currencies"], ids)}
    problems += [
        (f"products[{i}].product_id", "is switched off (active: false)")
        for i, one in enumerate(ids)
        if one in found and one not in held and not found[one]["active"]
    ]
    if problems:
        raise InvalidError("the sale's products are not right", problems)
    if len({row["currency"] for row in found.values()}) > 1:
        raise InvalidError("a sale has one currency", [("products", "have different currencies")])


async def _put_products(connection: Connection, number: int, products: Sequence[SaleProduct]) -> None:
    # Written in the order of ids, as every lock of theirs is taken; shown in the order in which they are named.
    places = {product.product_id: place for place, product in enumerate(products)}
    ordered = sorted(products, key=lambda product: product.product_id)
    await connection.execute(
        _SQL["put_sale_products"],
        number,
        *([getattr(product, name) for product in ordered] for name in SaleProduct.__struct_fields__),
        [places[product.product_id] for product in ordered],
    )


async def get_sale(connection: Connection, sale_id: str) -> Sale | None:
    """Return the sale of this id."""
    row = await connection.fetchrow(_SQL["get_sale"], sale_id)
    return None if row is None else _sale(row)


async def get_sale_again(connection: Connection, known: Sale) -> Sale | None:
    """Return a sale that was read before; its products are read only if the row has another version by now.

    And once in `PRODUCTS_KEPT_S`: a database that lost its last changes gives their versions to others.
    """
    if (known.read_at - known.products_read_at).total_seconds() > PRODUCTS_KEPT_S:
        return await get_sale(connection, known.sale_id)
    row = await connection.fetchrow(_SQL["get_sale_again"], known.sale_id, known.number, known.version)
    return None if row is None else _sale(row, known=known)


async def _existing(connection: Connection, sale_id: str) -> Sale:
    sale = await get_sale(connection, sale_id)
    if sale is None:
        raise NotFoundError(f"there is no sale {sale_id!r}")
    return sale


async def lock_sale(connection: Connection, sale_id: str, *, with_drains: bool = False) -> None:
    """Let nobody else change the sale until the transaction ends; nothing happens where there is none.

    `with_drains`: the batches of its drains that are under way end first, and the next ones wait.
    """
    if with_drains:
        await connection.execute(_SQL["lock_drains"], sale_id)
    await connection.execute(_SQL["lock_sale"], sale_id)


async def get_sale_by_number(connection: Connection, number: int) -> Sale | None:
    """Return the sale of this number."""
    row = await connection.fetchrow(_SQL["get_sale_by_number"], number)
    return None if row is None else _sale(row)


async def list_sales(
    connection: Connection, *, before: int | None = None, limit: int = 50, shadows: bool = False
) -> list[Sale]:
    """Return sales, newest first, numbered below `before`; or the shadows that rehearsals sell now, and no sale."""
    return [_sale(row) for row in await connection.fetch(_SQL["list_sales"], before, limit, shadows)]


async def closed_sales_of(connection: Connection, product_id: str) -> list[tuple[int, int]]:
    """Return number and partitions of each closed sale that has the product."""
    found = await connection.fetch(_SQL["closed_sales_of"], product_id)
    return [(row["sale_number"], row["partitions"]) for row in found]


async def live_sales_of(connection: Connection, product_id: str) -> list[Sale]:
    """Return the sales that are not closed and have the product."""
    return [_sale(row) for row in await connection.fetch(_SQL["live_sales_of"], product_id)]


async def live_rooms(connection: Connection) -> list[Sale]:
    """Return the sales with a waiting room that are not closed."""
    found = [_sale(row) for row in await connection.fetch(_SQL["live_rooms"])]
    return [sale for sale in found if sale.room.get("mode", "off") != "off"]


async def live_sales(connection: Connection, *, shadows: bool = False) -> list[LiveSale]:
    """Return the sales that may have work to do; `shadows` are for who does the work, not for who tells of it."""
    return [LiveSale(**_planned(row)) for row in await connection.fetch(_SQL["live_sales"], shadows)]


async def update_sale(
    connection: Connection, sale_id: str, changes: Mapping[str, Any], *, served: list[UUID] | None = None
) -> Sale:
    """Change a sale's fields; `products`, when named, replaces the list.

    Where an allotment grows those who wait for the product are served, and added to `served`.

    Raises:
        NotFoundError: there is no such sale.
        InvalidError: a product that has been sold here is left out, or a value contradicts another.
        ConflictError: `payment` would change, and there are orders whose money is taken in the other way.
    """
    async with connection.transaction():
        await lock_sale(connection, sale_id, with_drains="payment" in changes)
        sale = await _existing(connection, sale_id)
        new = {name: changes.get(name, getattr(sale, name)) for name in _CHANGEABLE}
        if new["payment"] != sale.payment:
            await _keep_payment(connection, sale)
        if "room" in changes:  # as it is now, with the change: what the timeline named until now is in it
            new |= {"base_phase": sale.phase, "base_room": dict(changes["room"]), "terms_at": sale.read_at}
        closes = closes_at(new["timeline"], new["terms_at"])
        new["timeline"] = _written(new["timeline"])
        await _guarded(connection.execute(_SQL["update_sale"], sale.number, *new.values(), closes))
        if "products" in changes:
            changed = await _replace_products(connection, sale, changes["products"])
            if served is not None:
                served += changed
        return await _existing(connection, sale_id)


_CHANGEABLE = (
    "name", "starts_at", "ends_at", "hold_s", "prewarm_lead_s", "payment", "hold_extension_s", "standby_max",
    "timeline", "prewarm_given", "base_phase", "base_room", "terms_at",
)  # fmt: skip


async def has_orders(connection: Connection, sale_number: int) -> bool:
    """Say whether any order of the sale was drained."""
    return bool(await connection.fetchval(_SQL["any_order"], sale_number))


async def _keep_payment(connection: Connection, sale: Sale) -> None:
    """Refuse another way of payment once there are orders; no batch of a drain is under way meanwhile."""
    if await has_orders(connection, sale.number):
        raise ConflictError("the sale has orders: how their money is taken stays as it is")


async def _replace_products(connection: Connection, sale: Sale, products: Sequence[SaleProduct]) -> list[UUID]:
    """Write the list; return the orders standing by that changed, for they were served."""
    await _check_products(connection, products, held=sale.products.keys())
    held = await _lock_for_standby(connection, sale, products)
    await connection.execute(_SQL["lock_sale_products"], sale.number)
    ids = [product.product_id for product in products]
    dropped = {row["product_id"] for row in await connection.fetch(_SQL["drop_sale_products"], sale.number, ids)}
    kept = sorted(sale.products.keys() - set(ids) - dropped)
    if kept:
        raise InvalidError("products with orders stay in the sale", [("products", f"leaves out {', '.join(kept)}")])
    try:
        await _put_products(connection, sale.number, products)
    except asyncpg.CheckViolationError as error:
        raise InvalidError(
            "more has been sold than that", [("products", "a quantity is below what is taken")]
        ) from error
    for statement in ("forget_purchases", "count_purchases_anew", "count_identities_anew"):
        await connection.execute(_SQL[statement], sale.number)
    return await standby.serve(connection, held) if held else []


async def _lock_for_standby(
    connection: Connection, sale: Sale, products: Sequence[SaleProduct]
) -> standby.HeldPairs | None:
    """Lock what it takes to serve those who wait for products whose allotment grows; None: nobody does.

    The stock of all of the sale's products: whoever holds one of its rows and waits for stock must not wait for this.
    """
    raised = [
        one.product_id
        for one in products
        if (was := sale.products.get(one.product_id)) is not None
        and was.quantity is not None
        and (one.quantity is None or one.quantity > was.quantity)
    ]
    if not raised or not await standby.waited_for(connection, raised):
        return None
    own = sale.products.keys()
    return await standby.lock_beside(connection, own, own=[(sale.number, product_id) for product_id in own])


async def bump_room_epoch(connection: Connection, sale_id: str) -> Sale:
    """Begin a new epoch of the sale's room: every admission out is revoked.

    Raises:
        NotFoundError: there is no such sale.
    """
    async with connection.transaction():
        await connection.execute(_SQL["bump_room_epoch"], sale_id)
        return await _existing(connection, sale_id)


async def set_phase(connection: Connection, sale_id: str, phase: Phase, *, start_now: bool = False) -> Sale:
    """Move a sale to another phase; with `start_now` its window begins now if it had not.

    Raises:
        NotFoundError: there is no such sale.
        ConflictError: it is closed, and closed is for good.
    """
    async with connection.transaction():
        await lock_sale(connection, sale_id)
        sale = await _existing(connection, sale_id)
        if sale.phase == "closed":
            if phase != "closed":
                raise ConflictError(f"the sale {sale_id!r} is closed")
            return sale
        await connection.execute(
            _SQL["set_terms"], sale.number, phase, sale.room, sale.read_at, closes_at(sale.timeline, sale.read_at)
        )
        if start_now:
            await connection.execute(_SQL["start_now"], sale.number)
        return await _existing(connection, sale_id)
