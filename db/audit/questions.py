"""Checks the promises P1 to P6, P11 and P12 as far as Postgres knows. Owns the questions; changes and repairs nothing.

All of it is read in one snapshot, so that a running system can be audited: what is in flight is not seen half done. A
rehearsal's shadow is left out: it is removed again, and half removed it would break every promise.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import msgspec

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

RELAY = "events"
WEBHOOKS = "webhooks-orders"
"""The cursor of the fan-out to webhooks."""

_SQL = load("audit")
TAKE_TURN = _SQL["take_turn"]
"""Asked before an audit that anybody may ask for."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of an audit; anything but no breaches breaks the promise."""

    promise: str
    what: str
    value: int
    breaches: int = 0
    acknowledged: int = 0
    """Of the breaches: what ops have acknowledged. They stay breaches, and wake nobody any more."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What Postgres says of the promises."""

    figures: list[Figure]
    states: dict[str, int]
    published: int
    """Order events up to the relay's cursor."""


async def audit(connection: Connection) -> Findings:
    """Read every figure in one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_SQL["leave_out_shadows"])
        partitions = await connection.fetch(_SQL["p1_entries"])
        published = await connection.fetchrow(_SQL["p6_published"], RELAY)
        assert published is not None
        figures = [
            *_accounted(partitions, await _count(connection, "p1_orphans")),
            *await _losses(connection),
            *await _ledger(connection),
            await _once(connection),
            *await _in_turn(connection),
            *await _steps(connection),
            Figure(promise="P6", what="events published by the relay", value=published["published"]),
            Figure(promise="P6", what="events waiting for the relay", value=published["waiting"]),
            await _given_to_webhooks(connection),
            await _priced(connection),
            *await _money(connection),
        ]  # fmt: skip
        states = {row["status"]: row["orders"] for row in await connection.fetch(_SQL["states"])}
    return Findings(figures=figures, states=states, published=published["published"])


async def _given_to_webhooks(connection: Connection) -> Figure:
    row = await connection.fetchrow(_SQL["p6_webhooks"], WEBHOOKS)
    assert row is not None
    return Figure(
        promise="P6", what="events of the last hour that webhooks want", value=row["wanted"], breaches=row["missing"]
    )


class KnownMoney(NamedTuple):
    """What an order says of its money, in minor units."""

    order_id: UUID
    status: str
    captured: int
    refunded: int
    is_open: bool
    """Something is still to be done at the provider, or was given up."""
    reference: str | None = None
    """The provider's id of the payment."""


async def known_money(connection: Connection, order_ids: Collection[UUID]) -> dict[UUID, KnownMoney]:
    """Return what these orders say of their money; those that there are not are left out."""
    rows = await connection.fetch(_SQL["p12_orders"], list(order_ids))
    found = [KnownMoney(*row.values())._replace(order_id=UUID(int=row["order_id"].int)) for row in rows]
    return {one.order_id: one for one in found}


async def captured_since(connection: Connection, since: datetime) -> set[UUID]:
    """Return the orders accepted since then whose money was taken."""
    return {UUID(int=row["order_id"].int) for row in await connection.fetch(_SQL["p12_captured_since"], since)}


async def always_rooms(connection: Connection) -> list[tuple[int, int]]:
    """Return the partitions of sales whose orders have all needed an admission for the last two hours, or ever."""
    return [(row["sale_number"], row["partition"]) for row in await connection.fetch(_SQL["p7_rooms"])]


async def _count(connection: Connection, name: str) -> int:
    count: int = await connection.fetchval(_SQL[name])
    return count


def _accounted(partitions: list[Any], orphans: int) -> list[Figure]:
    drained, repeated, orders, letters = (
        sum(row[name] for row in partitions) for name in ("drained", "repeated", "orders", "letters")
    )
    lost = sum(abs(row["drained"] - row["orders"] - row["letters"] - row["repeated"]) for row in partitions)
    return [
        Figure(promise="P1", what="accepted entries worked off", value=drained, breaches=lost),
        Figure(promise="P1", what="of these: orders", value=orders),
        Figure(promise="P1", what="of these: dead letters", value=letters),
        Figure(promise="P1", what="of these: repeated an order", value=repeated),
        Figure(
            promise="P1", what="rows without their order, orders without their rows", value=orphans, breaches=orphans
        ),
    ]


async def _losses(connection: Connection) -> list[Figure]:
    row = await connection.fetchrow(_SQL["p1_store_losses"])
    lost = await connection.fetchrow(_SQL["p1_lost_orders"])
    assert row is not None
    assert lost is not None
    return [
        Figure(promise="P1", what="times the order store came back without its end", value=row["losses"]),
        Figure(
            promise="P1", what="of these: nobody knows what was lost", value=row["open"], breaches=row["open"],
            acknowledged=row["acknowledged"],
        ),
        Figure(promise="P1", what="entries lost there that had been drained before", value=row["missing"]),
        Figure(
            promise="P1", what="orders answered 202 that neither store has", value=lost["lost"], breaches=lost["lost"],
            acknowledged=lost["acknowledged"],
        ),
    ]  # fmt: skip


async def _ledger(connection: Connection) -> list[Figure]:
    row = await connection.fetchrow(_SQL["p2_ledger"])
    assert row is not None
    figures = [Figure(promise="P2", what="products in the ledger", value=row["products"], breaches=row["breaches"])]
    figures += [
        Figure(promise="P2", what=f"units {name}", value=row[name])
        for name in ("received", "stock", "reserved", "sold")
    ]
    for name, what in (
        ("p2_reserved", "products whose orders and ledger differ"),
        ("p2_received", "products whose movements and ledger differ"),
        ("p2_allotments", "sale products whose orders and allotment differ"),
        ("p2_limits", "customers whose orders and limit count differ"),
        ("p2_people", "e-mails, cards, addresses, devices whose orders and limit count differ"),
    ):
        count = await _count(connection, name)
        figures.append(Figure(promise="P2", what=what, value=count, breaches=count))
    return figures


async def _once(connection: Connection) -> Figure:
    row = await connection.fetchrow(_SQL["p3_first_events"])
    assert row is not None
    return Figure(
        promise="P3", what="orders, each with one beginning", value=row["orders"],
        breaches=abs(row["orders"] - row["beginnings"]),
    )  # fmt: skip


async def _in_turn(connection: Connection) -> list[Figure]:
    return [
        Figure(promise="P4", what=what, value=count, breaches=count)
        for name, what in (
            ("p4_out_of_turn", "orders decided out of turn"),
            ("p4_standby", "orders standing by that others were served before"),
        )
        for count in [await _count(connection, name)]
    ]


async def _steps(connection: Connection) -> list[Figure]:
    row = await connection.fetchrow(_SQL["p5_steps"])
    assert row is not None
    broken = await _count(connection, "p5_histories")
    return [
        Figure(promise="P5", what="transitions", value=row["steps"], breaches=row["illegal"]),
        Figure(promise="P5", what="orders whose history is not their state's", value=broken, breaches=broken),
    ]


async def _priced(connection: Connection) -> Figure:
    row = await connection.fetchrow(_SQL["p11_totals"])
    assert row is not None
    return Figure(
        promise="P11", what="orders, each at its lines' accepted prices", value=row["orders"], breaches=row["breaches"]
    )


async def _money(connection: Connection) -> list[Figure]:
    row, queue = await connection.fetchrow(_SQL["p12_money"]), await connection.fetchrow(_SQL["p12_queue"])
    assert row is not None
    assert queue is not None
    figures = [
        ("orders whose money the provider was asked for", row["asked"], 0),
        ("of these: money taken", row["taken"], 0),
        ("of these: with something still to do there", row["under_way"], 0),
        ("orders whose money is not what their lines cost", row["differ"], row["differ"]),
        ("money kept without goods", row["kept_without_goods"], row["kept_without_goods"]),
        ("money held without goods", row["held_without_goods"], row["held_without_goods"]),
        ("orders served without a payment asked for", await _count(connection, "p12_unpaid"), 0),
        ("orders paid elsewhere", await _count(connection, "p12_elsewhere"), 0),
        ("operations at the provider: due", queue["due"], 0),
        ("operations at the provider: failed for good", queue["failed"], 0),
        ("operations at the provider: given up by ops", queue["discarded"], 0),
    ]
    return [Figure(promise="P12", what=what, value=value, breaches=breaches) for what, value, breaches in figures]
