"""What ops watch while sales go on, asked of all of them at once. Owns those questions; changes and judges nothing."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from db import progress
from db.prewarm import reports
from db.query_files import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.connections.pool import Connection

_SQL = load("live")

PRODUCTS_MAX = 200
EVENTS_MAX = 200_000
"""Events that one look counts; beyond it nobody knows."""


class ProductRow(NamedTuple):
    """A product of a sale: its ledger and what the sale can still sell; None: it was never received."""

    product_id: str
    name: str
    received: int | None
    reserved: int | None
    sold: int | None
    units: int | None


class PaymentCounts(NamedTuple):
    """Payments of a sale that are due, and that were asked for and never answered."""

    due: int
    failing: int


class SaleToRead(NamedTuple):
    """A sale that is looked at."""

    sale_number: int
    partitions: int
    since: str | None
    """The snapshot that orders confirmed are counted from; None: there is none, or it is too long ago."""


class SaleBooks(NamedTuple):
    """What Postgres says of a sale."""

    cursors: dict[tuple[int, int], str]
    """Of each partition the last entry drained."""
    below: str
    """The transaction below which all are over: a place in the order of events."""
    confirmed: int | None
    """Orders confirmed since the place that was asked about; None: there was none, or more happened than is counted."""
    products: list[ProductRow]
    """The first of the sale, in its order."""
    payments: PaymentCounts
    failed_operations: int
    """What the payment provider refused for good, of whatever sale."""
    paused: str | None
    """Why whoever asks the provider for the sale's money leaves it alone now."""
    verdict: LastVerdict | None


class LastVerdict(NamedTuple):
    """The newest pre-warm of a sale."""

    at: datetime
    go: bool
    checks: dict[str, dict[str, Any]]

    @property
    def no_go(self) -> list[dict[str, str]]:
        """What stands against the sale, as `[{check, reason}]`."""
        return [{"check": name, "reason": reason} for name, reason in reports.failing(self.checks).items()]


async def books(connection: Connection, watched: Sequence[SaleToRead]) -> dict[SaleToRead, SaleBooks]:
    """Return how these sales are: as many questions for a hundred of them as for one."""
    partitions = {one.sale_number: one.partitions for one in watched}
    numbers = sorted(partitions)
    rows = await connection.fetch(_SQL["sales"], numbers, [partitions[number] for number in numbers])
    found = {row["sale_number"]: row for row in rows}
    below: str = rows[0]["below"]
    confirmed = await _confirmed(connection, watched, below)
    listed: dict[int, list[ProductRow]] = {number: [] for number in numbers}
    for number, *values in await connection.fetch(_SQL["products"], numbers, PRODUCTS_MAX):
        listed[number].append(ProductRow(*values))
    paused = await progress.paused_among(connection, numbers)
    return {
        one: SaleBooks(
            cursors=_cursors(one, row["cursors"]),
            below=below,
            confirmed=confirmed.get((one.sale_number, one.since)),
            products=listed[one.sale_number],
            payments=PaymentCounts(row["due"], row["failing"]),
            failed_operations=row["failed_operations"],
            paused=paused[one.sale_number],
            verdict=None if row["at"] is None else LastVerdict(row["at"], row["go"], row["checks"]),
        )
        for one in watched
        for row in (found[one.sale_number],)
    }


def _cursors(sale: SaleToRead, drained: dict[str, str] | None) -> dict[tuple[int, int], str]:
    return {
        (sale.sale_number, partition): (drained or {}).get(str(partition), "0-0")
        for partition in range(sale.partitions)
    }


async def _confirmed(
    connection: Connection, watched: Sequence[SaleToRead], until: str
) -> dict[tuple[int, str | None], int | None]:
    """Return how many orders of each sale were confirmed since its place; who looks together has the same one."""
    together: dict[str, set[int]] = {}
    for one in watched:
        if one.since is not None:
            together.setdefault(one.since, set()).add(one.sale_number)
    found: dict[tuple[int, str | None], int | None] = {}
    for since, several in together.items():
        numbers = sorted(several)
        first = [UUID(int=number << 104) for number in numbers]
        last = [UUID(int=(number + 1 << 104) - 1) for number in numbers]
        for row in await connection.fetch(_SQL["confirmed"], since, until, numbers, first, last):
            found[row["sale_number"], since] = None if row["events"] >= EVENTS_MAX else row["confirmed"]
    return found
