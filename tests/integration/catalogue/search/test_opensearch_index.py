"""The index of OpenSearch: fed from the outbox, never set back by late writes, built anew without a pause."""

from __future__ import annotations

import asyncio

from opensearchpy import AsyncOpenSearch

from catalogue.search.folding import fold_ascii
from catalogue.search.interface import Query
from catalogue.search.opensearch_backend import OpenSearchSearch
from catalogue.search.opensearch_indexer import Indexer
from db.connections import pool as pools
from db.products import products
from db.products import search as rows
from tests.fixtures.search import fill, product
from tests.fixtures.shop import Shop
from workers.publish.catalogue import catalogue_relay, make_targets
from workers.publish.search_index import SearchTarget

Index = tuple[AsyncOpenSearch, str]


async def plain(text: str) -> str:
    return fold_ascii(text)


async def found(index: Index, text: str) -> list[str]:
    client, alias = index
    await client.indices.refresh(index=f"{alias}.fed")
    page = await OpenSearchSearch(client, alias, plain, timeout_s=5).search(Query(text))
    return [hit.product_id for hit in page.hits]


async def kite(db: pools.Connection, name: str, *, active: bool = True) -> products.Product:
    made = product("kite", name, "Zephyr", "Kites", 100, None, {})
    return await products.put_product(db, products.Product(**{**_fields(made), "active": active}))


def _fields(made: products.Product) -> dict[str, object]:
    return {name: getattr(made, name) for name in made.__struct_fields__}


async def test_the_relay_feeds_what_changed(shop: Shop, index: Index, search_node: str) -> None:
    await fill(shop.db)
    await Indexer(*index).reindex(shop.db)
    shop.settings = type(shop.settings)(**(shop.settings.model_dump() | {"search_url": f"{search_node}/{index[1]}"}))
    assert any(isinstance(target, SearchTarget) for target in make_targets(shop.settings))
    await kite(shop.db, "Zephyr kite")
    await shop.run("catalogue", catalogue_relay)
    assert await found(index, "kite") == ["kite"]
    await kite(shop.db, "Zephyr parafoil")
    await shop.run("catalogue", catalogue_relay)
    assert await found(index, "kites zephyr parafoil") == ["kite"]
    await kite(shop.db, "Zephyr parafoil", active=False)
    await shop.run("catalogue", catalogue_relay)
    assert await found(index, "parafoil") == []


async def test_a_late_write_sets_nothing_back(db: pools.Connection, index: Index) -> None:
    indexer = Indexer(*index)
    await kite(db, "Zephyr kite")
    (older,) = await rows.read_documents(db, ["kite"])
    await indexer.reindex(db)
    await kite(db, "Zephyr parafoil")
    await indexer.feed(db, ["kite"])
    (name,) = await index[0].indices.get_alias(name=f"{index[1]}.fed")
    await indexer._write(name, [older])
    assert await found(index, "parafoil") == ["kite"]
    assert (await index[0].get(index=f"{index[1]}.fed", id="kite"))["_version"] == 2


async def test_searches_and_changes_go_on_while_the_index_is_built_anew(
    db: pools.Connection, pool: pools.Pool, index: Index
) -> None:
    await fill(db)
    indexer = Indexer(*index, grace_s=0.3)
    await indexer.reindex(db)
    search = OpenSearchSearch(*index, plain, timeout_s=5)
    changed = asyncio.Event()

    def halfway(_: int) -> None:
        changed.set()

    async def change() -> None:
        await changed.wait()
        async with pool.acquire() as connection:
            await kite(connection, "Zephyr kite")
            await Indexer(*index).feed(connection, ["kite"])

    async def search_on(done: asyncio.Event) -> int:
        asked = 0
        while not done.is_set():
            assert (await search.search(Query("notebook"))).total == 4
            asked += 1
        return asked

    done = asyncio.Event()
    asking, changing = asyncio.create_task(search_on(done)), asyncio.create_task(change())
    former = await index[0].indices.get_alias(name=f"{index[1]}.fed")
    assert await indexer.reindex(db, halfway) == 12
    await changing
    done.set()
    assert await asking > 0
    assert await found(index, "kite") == ["kite"]
    assert not set(former) & set(await index[0].indices.get_alias(name=f"{index[1]}.fed"))
