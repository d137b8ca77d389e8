"""Products and listings over HTTP: validators, cache headers, prices that flip at their time, pages that stay."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx

from db.connections import pool as pools
from db.products import catalogue as rows
from db.products.catalogue import PriceWindow, set_prices
from tests.fixtures.intake import Serve
from tests.fixtures.waiting import eventually


async def test_a_product_is_shown_with_validators_and_cache_headers(serve: Serve) -> None:
    intake = await serve()
    await intake.make_product("bag", units=20)
    shown = await intake.http.get("/products/bag")
    assert shown.status_code == 200
    assert shown.json()["availability"] == "in_stock"
    assert shown.headers["cache-control"] == "public, max-age=1, s-maxage=60, stale-while-revalidate=30"
    assert shown.headers["surrogate-key"] == "product/bag category/things"
    same = await intake.http.get("/products/bag", headers={"If-None-Match": shown.headers["etag"]})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", shown.headers["etag"])
    head = await intake.http.head("/products/bag")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", shown.headers["etag"])
    assert head.headers["content-length"] == shown.headers["content-length"]


async def test_the_short_way_and_the_full_path_answer_alike(serve: Serve) -> None:
    """A page at hand does not pass the application; asked for first, or by HEAD, it does."""
    intake = await serve(catalogue_fresh_s=60)
    await intake.make_product("a b")
    long = await intake.http.get("/products/a%20b")
    short = await intake.http.get("/products/a%20b")
    assert (short.content, alike(short)) == (long.content, alike(long))
    assert alike(await intake.http.head("/products/a%20b")) == alike(long)
    known = {"If-None-Match": f'"other", {long.headers["etag"]}'}
    short = await intake.http.get("/products/a%20b", headers=known)
    long = await intake.http.head("/products/a%20b", headers=known)
    assert (short.status_code, alike(short)) == (long.status_code, alike(long))


def alike(answer: httpx.Response) -> dict[str, str]:
    """Return the headers, but for the request's id: what is answered at hand has none."""
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


async def test_products_asked_for_at_once_are_each_shown_as_alone(serve: Serve, database_url: str) -> None:
    intake = await serve(catalogue_fresh_s=60)
    names = [f"p{number}" for number in range(12)]
    for number, name in enumerate(names):
        await intake.make_product(name, units=number)
    connection = await pools.connect(database_url)
    try:
        several = await rows.read_products(connection, ["p3", "none", *names])
        alone = [await rows.read_product(connection, name) for name in ("p3", "none", *names)]
    finally:
        await connection.close()
    assert several == alone
    assert several[1] is None
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(intake.http.get(f"/products/{name}")) for name in ("none", *names, *names)]
    shown = [one.result() for one in asked]
    assert [one.status_code for one in shown] == [404] + [200] * 24
    assert [one.json()["product_id"] for one in shown[1:]] == names + names
    assert shown[1].json()["availability"] == "sold_out"
    assert shown[12].json()["availability"] == "in_stock"


async def test_what_is_not_there_is_remembered_until_it_is(serve: Serve) -> None:
    intake = await serve()
    missing = await intake.http.get("/products/bag")
    assert (missing.status_code, missing.json()["code"]) == (404, "product_not_found")
    assert missing.headers["surrogate-key"] == "product/bag"
    await intake.make_product("bag")
    assert (await intake.http.get("/products/bag")).status_code == 200


async def test_an_update_is_shown_at_once_by_the_process_that_took_it(serve: Serve) -> None:
    intake = await serve()
    await intake.make_product("bag")
    first = await intake.http.get("/products/bag")
    body = {"name": "Better bag", "brand": "Acme", "category": "things", "price": 90, "currency": "EUR"}
    (await intake.ops.put("/ops/products/bag", json=body)).raise_for_status()
    second = await intake.http.get("/products/bag", headers={"If-None-Match": first.headers["etag"]})
    assert (second.status_code, second.json()["name"], second.json()["price"]) == (200, "Better bag", 90)
    (await intake.ops.put("/ops/products/bag", json=body | {"active": False})).raise_for_status()
    assert (await intake.http.get("/products/bag")).status_code == 404


async def test_a_price_flips_at_its_time_without_a_new_version(serve: Serve, db: pools.Connection) -> None:
    intake = await serve()
    await intake.make_product("bag")
    now: datetime = await db.fetchval("select clock_timestamp()")
    starts, ends = now + timedelta(seconds=1.5), now + timedelta(seconds=3.5)
    await set_prices(db, "bag", [PriceWindow(starts, ends, 60)])

    async def shown() -> tuple[int, int | None, str]:
        answer = await intake.http.get("/products/bag")
        body = answer.json()
        return body["price"], body.get("regular_price"), body.get("price_until", "")

    async def announced() -> bool:
        return (await shown())[2] != ""

    await eventually(announced, within_s=3)
    seen: list[tuple[datetime, int]] = []
    while not seen or seen[-1][0] < ends + timedelta(milliseconds=50):
        asked = datetime.now(UTC)
        price, regular, _ = await shown()
        answered = datetime.now(UTC)
        if not (asked < starts <= answered or asked < ends <= answered):
            assert price == (60 if starts <= asked < ends else 100)
            assert regular == (100 if price == 60 else None)
        seen.append((answered, price))
        await asyncio.sleep(0.002)
    assert {price for _, price in seen} == {60, 100}


async def test_pages_are_in_order_and_stay_under_inserts(serve: Serve) -> None:
    intake = await serve()
    for number in range(0, 10, 2):
        await intake.make_product(f"p{number}")
    first = (await intake.http.get("/products", params={"category": "things", "limit": 3})).json()
    assert [one["product_id"] for one in first["items"]] == ["p0", "p2", "p4"]
    await intake.make_product("p1")
    await intake.make_product("p7")
    following = {"category": "things", "limit": 3, "cursor": first["next_cursor"]}
    second = (await intake.http.get("/products", params=following)).json()
    assert [one["product_id"] for one in second["items"]] == ["p6", "p7", "p8"]
    assert "next_cursor" not in second
    whole = await intake.http.get("/products")
    assert [one["product_id"] for one in whole.json()["items"]] == ["p0", "p1", "p2", "p4", "p6", "p7", "p8"]
    same = await intake.http.get("/products", headers={"If-None-Match": whole.headers["etag"]})
    assert same.status_code == 304


async def test_queries_that_make_no_sense_are_refused_by_name(serve: Serve) -> None:
    intake = await serve()
    answer = await intake.http.get("/products", params={"limit": "0", "page": "2", "cursor": "x" * 65})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"limit", "page", "cursor"}
    assert (await intake.http.get("/products/" + "x" * 70)).status_code == 404
