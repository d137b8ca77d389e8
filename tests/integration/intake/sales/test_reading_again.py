"""A sale that is read again is read with its products only if it changed, and is right whichever way it was read."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from db import sales
from db.connections import pool as pools
from db.sale_rows import SaleProduct, SaleSpec

_ADD = (
    "insert into products (product_id, name, brand, category, price, currency)"
    " select one, one, 'b', 'c', 100, 'EUR' from unnest(array['lamp', 'rug']) one"
)


async def test_products_are_read_when_the_sale_changed_and_now_and_then(database_url: str) -> None:
    connection = await pools.connect(database_url)
    try:
        await connection.execute(_ADD)
        made = await sales.create_sale(connection, SaleSpec(sale_id="s", products=[SaleProduct(product_id="lamp")]))

        again = await sales.get_sale_again(connection, made)
        assert again is not None
        assert again.products is made.products
        assert (again.version, again.products_read_at) == (made.version, made.products_read_at)
        assert again.read_at > made.read_at
        same = {"read_at": made.read_at}
        assert msgspec.structs.replace(again, **same) == made

        await sales.update_sale(connection, "s", {"products": [SaleProduct(product_id="rug", price=7)]})
        changed = await sales.get_sale_again(connection, again)
        assert changed is not None
        assert changed == msgspec.structs.replace(await _whole(connection), read_at=changed.read_at,
                                                  products_read_at=changed.products_read_at)  # fmt: skip
        assert [(one.product_id, one.price) for one in changed.products.values()] == [("rug", 7)]

        old = msgspec.structs.replace(
            changed, products_read_at=changed.read_at - timedelta(seconds=sales.PRODUCTS_KEPT_S + 1)
        )
        read = await sales.get_sale_again(connection, old)
        assert read is not None
        assert read.products is not old.products
        assert read.products_read_at > changed.products_read_at
        gone = msgspec.structs.replace(changed, sale_id="none")
        assert await sales.get_sale_again(connection, gone) is None
        other = msgspec.structs.replace(changed, number=changed.number + 1)
        read = await sales.get_sale_again(connection, other)
        assert read is not None
        assert read.products is not other.products
    finally:
        await connection.close()


async def _whole(connection: pools.Connection) -> sales.Sale:
    found = await sales.get_sale(connection, "s")
    assert found is not None
    return found
