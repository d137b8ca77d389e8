"""What people have of limited products, as Postgres keeps it. Owns those statements; decides nothing.

Under the locks of the products in the sale, which whoever counts holds (docs/locking.md). Rows are only added; each
says how many units more, or fewer, many identities have. Of its last change a product carries the number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from db.query_files import load
from db.work import copy_rows

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("identities")

UnitsByPerson: TypeAlias = dict[str, dict[bytes, int]]
"""Product -> identity -> units."""
PAGE = 4_000
"""Rows of one product that are read at a time."""
SIZE = 16
"""Bytes of an identity."""


class PeopleCounted(NamedTuple):
    """Identities, one behind the other, that have so many units more."""

    product_id: str
    number: int
    units: int
    identities: bytes


async def read(connection: Connection, sale_number: int, identities: Iterable[bytes]) -> UnitsByPerson:
    """Return the units that each of these has, by product."""
    found: UnitsByPerson = {}
    packed = b"".join(identities)
    for product_id, identity, units in await connection.fetch(_SQL["read_identities"], sale_number, packed):
        found.setdefault(product_id, {})[identity] = units
    return found


async def since(connection: Connection, sale_number: int, numbers: Mapping[str, int]) -> list[PeopleCounted]:
    """Return what was counted of products after these numbers, in order; of each product a page, and maybe more."""
    rows = await connection.fetch(_SQL["people_since"], sale_number, list(numbers), list(numbers.values()), PAGE)
    return [PeopleCounted(*row) for row in rows]


async def number(connection: Connection, sale_number: int, product_ids: Collection[str]) -> dict[str, int]:
    """Give products a new number, for what is going to be added; return them."""
    rows = await connection.fetch(_SQL["number_people"], sale_number, list(product_ids))
    return {row["product_id"]: row["people_number"] for row in rows}


async def add(connection: Connection, sale_number: int, bought: UnitsByPerson) -> None:
    """Count so many units more."""
    numbers = await number(connection, sale_number, bought)
    rows: list[bytes] = []
    for product_id, units in bought.items():
        for same, identities in by_units(units).items():
            rows += copy_rows.people_rows((sale_number, product_id, numbers[product_id]), same, identities)
    await copy(connection, copy_rows.copied(rows))


async def copy(connection: Connection, source: Any) -> None:
    """Add rows."""
    columns = copy_rows.COLUMNS["people_counts"]
    await connection.copy_to_table("people_counts", source=source, columns=columns, format="binary")


def by_units(counts: Mapping[bytes, int]) -> dict[int, Sequence[bytes]]:
    """Return the identities that have the same units, by these."""
    found: dict[int, list[bytes]] = {}
    for identity, units in counts.items():
        found.setdefault(units, []).append(identity)
    return dict(found)
