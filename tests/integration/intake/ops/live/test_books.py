"""Sales that are looked at within a moment are asked about together; each is told what it would be told alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from db import live
from db.connections.pool import Connection
from db.live import SaleBooks, SaleToRead
from db.prewarm import reports
from doorbuster.settings import Settings
from intake.database import Database
from intake.ops.live.books import BookReader
from tests.fixtures.shop import Shop

CHECKS = {"stock": {"ok": False, "reason": "no units"}, "keys": {"ok": True}}


@pytest.fixture
async def reader(settings: Settings) -> AsyncIterator[BookReader]:
    database = Database(settings.database_url.get_secret_value(), timeout_s=10)
    await database.open()
    yield BookReader(database)
    await database.close()


@pytest.fixture
async def sales(shop: Shop, db: Connection) -> list[int]:
    """Three sales: one with confirmed and pending orders and a no-go, one that was sold from, one that nobody knows."""
    await shop.stock(lamp=9, rug=5)
    first = await shop.open_sale("lamp", "rug")
    await shop.buy("ann", "bob", lamp=1)
    await shop.drain()
    await shop.settle()
    await shop.buy("cid", rug=2)
    await shop.drain()
    await reports.add(db, first, occasion="ops", go=False, checks=CHECKS)
    second = await shop.open_sale("rug")
    await shop.buy("dan", rug=1)
    await shop.drain()
    await shop.settle()
    return [first, second, await shop.open_sale("lamp")]


async def test_they_are_asked_about_together_and_told_as_if_alone(
    reader: BookReader, sales: list[int], db: Connection
) -> None:
    watched = [SaleToRead(number, 1, since) for number, since in zip(sales, ("0", "0", None), strict=True)]
    together = await asyncio.gather(*map(reader.read, watched))
    assert reader.reads == 1
    alone = [(await live.books(db, [one]))[one] for one in watched]
    assert [_told(one) for one in together] == [_told(one) for one in alone]
    first, second, third = together
    assert [one.confirmed for one in together] == [2, 1, None]
    assert [one.product_id for one in first.products] == ["lamp", "rug"]
    assert (first.payments.due, second.payments.due) == (1, 0)
    assert first.verdict is not None
    assert (first.verdict.go, first.verdict.no_go) == (False, [{"check": "stock", "reason": "no units"}])
    assert second.verdict is None
    assert first.cursors[sales[0], 0] != "0-0"
    assert third.cursors == {(sales[2], 0): "0-0"}


async def test_the_same_sale_from_two_places_is_counted_from_each(reader: BookReader, sales: list[int]) -> None:
    now = (await reader.read(SaleToRead(sales[0], 1, None))).below
    before, since = await asyncio.gather(
        reader.read(SaleToRead(sales[0], 1, "0")), reader.read(SaleToRead(sales[0], 1, now))
    )
    assert (before.confirmed, since.confirmed) == (2, 0)
    assert reader.reads == 2


async def test_one_that_gives_up_holds_up_no_other_and_a_failure_is_told_to_all(
    reader: BookReader, sales: list[int]
) -> None:
    gone = asyncio.create_task(reader.read(SaleToRead(sales[0], 1, None)))
    other = asyncio.create_task(reader.read(SaleToRead(sales[1], 1, None)))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await other).products
    await reader._database.close()
    told = await asyncio.gather(*(reader.read(SaleToRead(number, 1, None)) for number in sales), return_exceptions=True)
    assert all(isinstance(one, Exception) for one in told)
    assert reader.reads == 2


def _told(books: SaleBooks) -> SaleBooks:
    """Leave out what goes on by itself."""
    return books._replace(below="")
