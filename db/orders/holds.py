"""Holds of pending orders: made longer, ended, and units taken anew. Owns `reservations` where an order stays pending.

Giving units back is the transitions' (`db.orders.transitions.release_many`), which lock in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from db.orders.identities import Buyer, LimitCounts
from db.query_files import load
from db.work import drain_batch

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("holds")


class OpenAction(NamedTuple):
    """What a shopper must do; `next_action` is the provider's, for the shopper's page."""

    order_id: UUID
    next_action: Any
    reference: str | None


async def end_overdue(connection: Connection, order_ids: Sequence[UUID]) -> list[UUID]:
    """End those of the holds that are over; the caller gives the units back in the same transaction."""
    return [row["order_id"] for row in await connection.fetch(_SQL["release_if_ended"], order_ids)]


async def wait_for_shopper(connection: Connection, actions: Sequence[OpenAction], *, look_after_s: float) -> list[UUID]:
    """Make the hold longer, once, and tell of the action, once; the provider is asked again after `look_after_s`.

    In the caller's transaction; returns the orders that have news.
    """
    held = {row["order_id"] for row in await connection.fetch(_SQL["wait_for_shopper"], _ids(actions), look_after_s)}
    columns = [list(column) for column in zip(*(one for one in actions if one.order_id in held), strict=True)]
    return [row["order_id"] for row in await connection.fetch(_SQL["tell_of_action"], *columns)] if columns else []


def _ids(actions: Sequence[OpenAction]) -> list[UUID]:
    return [one.order_id for one in actions]


async def ask_now(connection: Connection, order_ids: Sequence[UUID]) -> None:
    """Have the settle shift ask for these payments now."""
    await connection.execute(_SQL["ask_now"], order_ids)


async def ask_later(connection: Connection, order_ids: Sequence[UUID], *, seconds: float) -> None:
    """Have the settle shift look these payments up after `seconds`: they are on their way."""
    await connection.execute(_SQL["ask_later"], order_ids, seconds)


async def take_units(connection: Connection, order_id: UUID) -> bool:
    """Reserve what an order wants once more, all of it or nothing; say whether there was enough.

    In the caller's transaction, which has locked the order. Stock, the sale's allotment and its limits count as for a
    new order.
    """
    row = await connection.fetchrow(_SQL["buyer_of"], order_id)
    assert row is not None
    sale_number, buyer = row["sale_number"], Buyer(row["customer_id"], row["identities"])
    wanted = {line["product_id"]: line["units"] for line in await connection.fetch(_SQL["lines_of"], order_id)}
    found = {one["product_id"]: one for one in await drain_batch.lock_sellable(connection, sale_number, wanted)}
    for product_id, units in wanted.items():
        left = found.get(product_id)
        if left is None or left["stock"] < units or (left["allotment"] is not None and left["allotment"] < units):
            return False
    counts = LimitCounts(sale_number, found)
    await counts.read(connection, [(buyer, wanted)])
    if counts.over(buyer, wanted):
        return False
    counts.take(buyer, wanted)
    await drain_batch.take(connection, sale_number, wanted)
    await counts.write(connection)
    return True


async def confirm_anew(connection: Connection, order_id: UUID) -> bool:
    """Confirm a pending order whose units were taken again in this transaction; say whether it was pending."""
    return await connection.fetchval(_SQL["confirm_anew"], order_id) is not None
