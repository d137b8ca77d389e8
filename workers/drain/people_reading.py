"""Keeps a drain's memory of people up with Postgres, and makes a batch's rows. Owns when it reads; decides nothing.

Under the products' locks little is read: a drain that begins, or was away for long, reads on before it takes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from db.work import people_counts
from db.work.copy_rows import people_rows

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from workers.drain.decide import Verdict
    from workers.drain.people_memory import PeopleMemory


class FarBehindError(Exception):
    """More was counted of products than should be read under their locks; nothing was written."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        super().__init__(f"far behind on {len(numbers)} products")
        self.numbers = numbers


async def hear(connection: Connection, sale_number: int, memory: PeopleMemory, numbers: Mapping[str, int]) -> None:
    """Take in what others counted of products, which are locked and have these numbers.

    Raises:
        FarBehindError: that is too much to be read now.
    """
    behind = memory.behind(numbers)
    if behind and (far := await _read_page(connection, sale_number, memory, behind)):
        raise FarBehindError({one: numbers[one] for one in far})
    for product_id in behind:
        memory.note(product_id, numbers[product_id])


async def read_on(connection: Connection, sale_number: int, memory: PeopleMemory, numbers: Mapping[str, int]) -> None:
    """Take in what others counted of products, of which nothing is locked, about up to these numbers."""
    while (behind := memory.behind(numbers)) and await _read_page(connection, sale_number, memory, behind):
        continue


async def _read_page(
    connection: Connection, sale_number: int, memory: PeopleMemory, behind: Mapping[str, int]
) -> list[str]:
    """Take in a page of each product; return the products of which there may be more."""
    counted = await people_counts.since(connection, sale_number, behind)
    memory.hear(counted)
    return [one for one, rows in Counter(row.product_id for row in counted).items() if rows >= people_counts.PAGE]


async def number(connection: Connection, sale_number: int, verdict: Verdict) -> dict[str, int]:
    """Give the products new numbers of which people take some; return them."""
    products = {*verdict.bought_by, *(product_id for product_id, _ in verdict.newcomers)}
    return await people_counts.number(connection, sale_number, products) if products else {}


def rows_of(sale_number: int, verdict: Verdict, numbers: Mapping[str, int]) -> list[bytes]:
    """Return the rows that say what people take."""
    rows: list[bytes] = []
    for (product_id, units), newcomers in verdict.newcomers.items():
        rows += people_rows((sale_number, product_id, numbers[product_id]), units, newcomers)
    for product_id, counts in verdict.bought_by.items():
        for units, identities in people_counts.by_units(counts).items():
            rows += people_rows((sale_number, product_id, numbers[product_id]), units, identities)
    return rows


def remember(memory: PeopleMemory, verdict: Verdict, numbers: Mapping[str, int]) -> None:
    """Take in what people took, now that it is committed."""
    for (product_id, units), newcomers in verdict.newcomers.items():
        memory.add(product_id, units, newcomers)
    for product_id, counts in verdict.bought_by.items():
        memory.count(product_id, counts)
    for product_id, new in numbers.items():
        memory.note(product_id, new)
