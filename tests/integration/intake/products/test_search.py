"""Search as storefronts call it."""

from __future__ import annotations

import asyncio
import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest

from db.connections import pool as pools
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.search import SHOP, fill
from tests.fixtures.waiting import eventually


@pytest.fixture
async def shop(intake: Intake, db: pools.Connection) -> Intake:
    await fill(db)
    return intake


async def test_a_search_shows_products_counts_and_the_way_on(shop: Intake) -> None:
    first = (await shop.http.get("/search", params={"q": "notebook", "limit": 2})).json()
    assert [item["product_id"] for item in first["items"]] == ["hp-2", "hp-1"]
    assert first["items"][0] | {"updated_at": ""} == {
        "product_id": "hp-2", "name": "HP Compaq 6730s Notebook PC", "brand": "HP", "category": "Notebooks",
        "price": 79_900, "currency": "EUR", "availability": "low", "version": 1, "updated_at": "",
    }  # fmt: skip
    assert first["total"] == 4
    assert first["facets"]["brand"] == [{"value": "HP", "count": 4}]
    assert first["facets"]["category"][0] == {"value": "Notebooks", "count": 2}
    assert {"low": 50_000, "high": 100_000, "count": 1} in first["facets"]["price"]
    following = await shop.http.get("/search", params={"q": "notebook", "limit": 2, "cursor": first["next_cursor"]})
    assert {item["product_id"] for item in following.json()["items"]} == {"hp-3", "hp-4"}
    assert "next_cursor" not in following.json()


@pytest.mark.parametrize("path", ["/search?q=notebook", "/search/suggest?q=note"])
async def test_an_answer_that_the_asker_has_is_not_sent_again(shop: Intake, path: str) -> None:
    first = await shop.http.get(path)
    again = await shop.http.get(path, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    head = await shop.http.head(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", first.headers["etag"])
    body = {"name": "Notebook stand", "brand": "HP", "category": "Stands", "price": 5, "currency": "EUR"}
    (await shop.ops.put("/ops/products/hp-9", json=body)).raise_for_status()
    changed = await shop.http.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


async def test_a_price_that_holds_for_a_time_is_shown(shop: Intake) -> None:
    body = {"windows": [{"price": 100, "starts_at": "2026-01-01T00:00:00Z"}]}
    (await shop.ops.put("/ops/products/hp-2/prices", json=body)).raise_for_status()
    (found,) = (await shop.http.get("/search", params={"q": "6730s"})).json()["items"]
    assert (found["price"], found["regular_price"]) == (100, 79_900)


async def test_a_price_flips_at_its_time_in_an_answer_that_is_kept(serve: Serve, db: pools.Connection) -> None:
    shop = await serve(catalogue_fresh_s=60)
    await fill(db)
    starts = datetime.now(UTC) + timedelta(seconds=3)
    body = {"windows": [{"price": 100, "starts_at": starts.isoformat()}]}
    (await shop.ops.put("/ops/products/hp-2/prices", json=body)).raise_for_status()
    seen, asked = [], 0.0
    while not seen or seen[-1][1] != 100:
        before = datetime.now(UTC)
        answer = await shop.http.get("/search", params={"q": "6730s"})
        seen.append((before, answer.json()["items"][0]["price"], datetime.now(UTC)))
        if not asked and before > starts - timedelta(seconds=1.5):
            asked = await _asked(shop)  # the change itself was heard by now: nothing but the time is left to change it
        await asyncio.sleep(0.005)
    assert {price for _, price, _ in seen[:-1]} == {79_900}
    assert all(before < starts for before, _, _ in seen[:-1])
    assert seen[-1][2] >= starts
    assert await _asked(shop) == asked > 0


async def _asked(shop: Intake) -> float:
    """Return how many searches the backend was asked for."""
    told = (await shop.http.get("/metrics")).text
    return sum(map(float, re.findall(r'reads_total\{what="search",where="backend"\} (\S+)', told)))


async def test_others_keep_a_search_no_longer_than_its_prices_hold(shop: Intake) -> None:
    starts = datetime.now(UTC) + timedelta(seconds=4)
    body = {"windows": [{"price": 100, "starts_at": starts.isoformat()}]}
    (await shop.ops.put("/ops/products/hp-2/prices", json=body)).raise_for_status()
    before = datetime.now(UTC)
    answer = await shop.http.get("/search", params={"q": "6730s"})
    (seconds,) = re.fullmatch(r"public, max-age=[01], s-maxage=(\d)", answer.headers["cache-control"]).groups()  # type: ignore[union-attr]
    left = [(starts - at).total_seconds() for at in (datetime.now(UTC), before)]
    assert max(left[0], 0) - 1 <= int(seconds) <= left[1]
    other = await shop.http.get("/search", params={"q": "lamp"})
    assert other.headers["cache-control"] == "public, max-age=1, s-maxage=5, stale-while-revalidate=5"


async def test_many_who_search_the_same_cost_one_search(serve: Serve, db: pools.Connection) -> None:
    shop = await serve(catalogue_fresh_s=60, shed_lag_ms=0)  # a loop that is late refuses a second forty
    await fill(db)
    limits = itertools.count(1)

    async def one_search() -> bool:
        """Until the process has heard of the shop's products it asks once more: what was found before is forgotten."""
        asked, terms = await _asked(shop), {"q": "lamp", "limit": next(limits)}
        answers = await asyncio.gather(*(shop.http.get("/search", params=terms) for _ in range(40)))
        assert {answer.json()["total"] for answer in answers} == {1}
        return await _asked(shop) == asked + 1

    await eventually(one_search, what="forty searches at a time to cost one")


async def test_signs_alone_are_another_search_than_nothing(shop: Intake) -> None:
    totals = [(await shop.http.get("/search", params={"q": text})).json()["total"] for text in ("", "!!!", "", " ")]
    assert totals == [len(SHOP), 0, len(SHOP), len(SHOP)]


async def test_what_is_written_is_found_at_once(shop: Intake) -> None:
    body = {"name": "Zephyr kite", "brand": "Zephyr", "category": "Kites", "price": 100, "currency": "EUR"}
    (await shop.ops.put("/ops/products/kite", json=body)).raise_for_status()
    assert (await shop.http.get("/search", params={"q": "kite"})).json()["total"] == 1
    (await shop.ops.put("/ops/products/kite", json=body | {"active": False})).raise_for_status()
    assert (await shop.http.get("/search", params={"q": "kite"})).json()["total"] == 0


async def test_suggestions(shop: Intake) -> None:
    items = (await shop.http.get("/search/suggest", params={"q": "lum"})).json()["items"]
    assert items[0] == {"kind": "brand", "text": "Lumo"}
    assert {"kind": "product", "text": "Lumo desk lamp"} in items


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"sort": "best"}, "sort"), ({"limit": "0"}, "limit"), ({"limit": "101"}, "limit"), ({"limit": "x"}, "limit"),
        ({"min_price": "-1"}, "min_price"), ({"max_price": "1.5"}, "max_price"), ({"colour": "red"}, "colour"),
        ({"cursor": "!"}, "cursor"), ({"cursor": "W10"}, "cursor"), ({"category": "a\x00"}, "category"),
        ({"q": "x" * 20_001}, "q"), ({"brand": "b" * 201}, "brand"), ({"min_price": "9" * 30}, "min_price"),
    ],
)  # fmt: skip
async def test_wrong_parameters_are_named(intake: Intake, params: dict[str, str], field: str) -> None:
    answer = await intake.http.get("/search", params=params)
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["errors"]] == [field]


async def test_a_cursor_of_another_sort_is_refused(shop: Intake) -> None:
    cursor = (await shop.http.get("/search", params={"limit": 1, "sort": "price"})).json()["next_cursor"]
    answer = await shop.http.get("/search", params={"limit": 1, "sort": "newest", "cursor": cursor})
    assert answer.status_code == 422


async def test_a_search_that_takes_too_long_is_refused_and_harms_no_other(shop: Intake, db: pools.Connection) -> None:
    held = db.transaction()
    await held.start()
    await db.execute("lock table products in access exclusive mode")
    slow = await asyncio.gather(*(shop.http.get("/search", params={"q": "lamp"}) for _ in range(6)))
    await held.rollback()
    assert {answer.status_code for answer in slow} == {503}
    assert {answer.json()["code"] for answer in slow} == {"store_unavailable"}
    assert (await shop.http.get("/search", params={"q": "lamp"})).json()["total"] == 1
