"""Checks the promises P1 to P6 as far as Postgres knows. Owns the questions; changes nothing, repairs nothing.

All of it is read in one snapshot, so that a running system can be audited: what is in flight is not seen half done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

RELAY = "events"

_SQL = load("audit")


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of an audit; anything but no breaches breaks the promise."""

    promise: str
    what: str
    value: int
    breaches: int = 0


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What Postgres says of the promises."""

    figures: list[Figure]
    states: dict[str, int]
    published: int
    """Order events up to the relay's cursor."""


async def audit(connection: Connection) -> Findings:
    """Read every figure in one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        partitions = await connection.fetch(_SQL["p1_entries"])
        published = await connection.fetchrow(_SQL["p6_published"], RELAY)
        assert published is not None
        figures = [
            *_accounted(partitions, await _count(connection, "p1_orphans")),
            *await _ledger(connection),
            await _once(connection),
            await _in_turn(connection),
            *await _steps(connection),
            Figure(promise="P6", what="events published by the relay", value=published["published"]),
            Figure(promise="P6", what="events waiting for the relay", value=published["waiting"]),
        ]  # fmt: skip
        states = {row["status"]: row["orders"] for row in await connection.fetch(_SQL["states"])}
    return Findings(figures=figures, states=states, published=published["published"])


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


async def _in_turn(connection: Connection) -> Figure:
    count = await _count(connection, "p4_out_of_turn")
    return Figure(promise="P4", what="orders decided out of turn", value=count, breaches=count)


async def _steps(connection: Connection) -> list[Figure]:
    row = await connection.fetchrow(_SQL["p5_steps"])
    assert row is not None
    broken = await _count(connection, "p5_histories")
    return [
        Figure(promise="P5", what="transitions", value=row["steps"], breaches=row["illegal"]),
        Figure(promise="P5", what="orders whose history is not their state's", value=broken, breaches=broken),
    ]
