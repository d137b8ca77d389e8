"""What a sale was offered, minute by minute. Owns the table; who counts is the intake, who copies the scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("sale_minutes")


class SaleMinute(NamedTuple):
    """A minute of a sale."""

    minute: datetime
    """Its beginning."""
    offered: int
    """Posts of orders, also those refused or sent again."""
    admitted: int
    joined: int
    refused: Mapping[str, int]
    """Of the offered, by code."""


async def put(
    connection: Connection, sale_number: int, minute: int, counts: tuple[int, int, int], refused: Mapping[str, int]
) -> None:
    """Write a minute (Unix seconds / 60) as it is by now: offered, admitted, joined; again changes nothing."""
    await connection.execute(_SQL["put"], sale_number, minute, *counts, dict(refused))


async def of_sale(connection: Connection, sale_number: int) -> list[SaleMinute]:
    """Return a sale's minutes in order; a minute in which nothing was counted is left out."""
    return [SaleMinute(*row.values()) for row in await connection.fetch(_SQL["of_sale"], sale_number)]
