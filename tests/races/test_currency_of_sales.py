"""A sale that is made while its product's currency changes has one currency afterwards, whoever comes first."""

from __future__ import annotations

import asyncio

import pytest

from db import sales
from db.connections import pool as pools
from db.products import products
from db.sales import SaleProduct, SaleSpec
from doorbuster.errors import ConflictError, InvalidError
from tests.fixtures.draining import make_product

ROUNDS = 25


async def _mixed(pool: pools.Pool) -> int:
    """Make sales of a and b while b becomes JPY, again and again; return how many sales have two currencies."""
    mixed = 0
    for number in range(ROUNDS):
        a, b = f"a{number}", f"b{number}"
        async with pool.acquire() as one, pool.acquire() as two:
            for product_id in (a, b):
                await make_product(one, product_id)
            await asyncio.gather(_sell(one, number, a, b), _reprice(two, b))
            mixed += await one.fetchval(
                "select count(distinct p.currency) > 1 from sale_products sp join products p using (product_id)"
                " where sp.product_id = any($1::text[])",
                [a, b],
            )
    return mixed


async def _sell(connection: pools.Connection, number: int, *product_ids: str) -> None:
    async with connection.transaction():
        try:
            listed = [SaleProduct(product_id=one) for one in product_ids]
            await sales.create_sale(connection, SaleSpec(sale_id=f"sale-{number}", products=listed))
        except InvalidError:
            return
        await asyncio.sleep(0.01)  # while it is not committed, the other must wait for it


async def _reprice(connection: pools.Connection, product_id: str) -> None:
    await asyncio.sleep(0.005)
    stored = await products.get_product(connection, product_id)
    assert stored is not None
    try:
        changed = products.Product(product_id=product_id, name="n", brand="b", category="c", price=1500, currency="JPY")
        await products.put_product(connection, changed)
    except ConflictError:
        return


async def test_no_sale_has_two_currencies(pool: pools.Pool) -> None:
    assert await _mixed(pool) == 0


async def test_without_the_lock_some_have(pool: pools.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control."""
    free = sales._SQL["lock_currencies"].replace(" for share", "")
    monkeypatch.setattr(sales, "_SQL", {**sales._SQL, "lock_currencies": free})
    assert await _mixed(pool) > 0
