"""An intake beside busy neighbours: searches are refused, and told when to come again; product pages are all shown."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from intake.server import shedding
from tests.fixtures.intake import Intake, Serve

BUSY = "import time; ends = time.monotonic() + 40\nwhile time.monotonic() < ends: pass"
NEIGHBOURS = 3
BOUND_S = 20.0
READERS = 12


@pytest.fixture
def neighbours() -> Iterator[None]:
    """Other processes that keep the one processor busy which this one is kept on meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(NEIGHBOURS)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()
        os.sched_setaffinity(0, before)


async def rush(intake: Intake, *, searches_max: int) -> tuple[Counter[int], list[dict[str, str]]]:
    """Read product pages from many sides, and search, until a search is refused or so many were made."""
    pages: Counter[int] = Counter()
    refused: list[dict[str, str]] = []
    is_over = asyncio.Event()

    async def read() -> None:
        while not is_over.is_set():
            pages[(await intake.http.get("/products/hot")).status_code] += 1

    async def search() -> None:
        due = time.monotonic() + BOUND_S
        for number in range(searches_max):
            answer = await intake.http.get("/search", params={"q": f"thing {number}"})
            if answer.status_code != 200:
                refused.append({"retry-after": answer.headers.get("retry-after", "")} | answer.json())
                break
            if time.monotonic() > due:
                break
        is_over.set()

    await asyncio.gather(search(), *(read() for _ in range(READERS)))
    return pages, refused


@pytest.mark.usefixtures("neighbours")
async def test_beside_busy_neighbours_searches_are_refused_and_product_pages_shown(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who asks is in the same process here, and takes most of the little that the neighbours leave to it.
    monkeypatch.setattr(shedding, "BUSY_PER_S", 2)
    intake = await serve(shed_lag_ms=4)
    await intake.make_product("hot", units=5)
    pages, refused = await rush(intake, searches_max=10_000)
    assert refused, "no search was refused"
    (problem,) = refused
    assert (problem["code"], problem["status"], problem["retry-after"]) == ("overloaded", 503, "1")
    assert "Searches are refused" in problem["detail"]
    assert set(pages) == {200}, pages
    assert (await intake.post("no-such-sale")).json()["code"] == "sale_not_found", "orders are taken"


@pytest.mark.usefixtures("neighbours")
async def test_without_the_guard_nothing_tells_a_search_from_a_page(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shedding, "BUSY_PER_S", 2)
    intake = await serve(shed_lag_ms=0)
    await intake.make_product("hot", units=5)
    pages, refused = await rush(intake, searches_max=4)
    assert refused == [], "the neighbours alone refuse no search"
    assert set(pages) == {200}, pages


async def test_what_is_in_work_refuses_by_class_and_shows_pages_at_hand(serve: Serve) -> None:
    intake = await serve(in_flight_max=10, shed_lag_ms=0, catalogue_fresh_s=60)
    await intake.open_sale("sale")
    assert (await intake.http.get("/products/hot")).status_code == 200
    answers = {}
    for in_work in (2, 3, 4, 6, 8, 10):
        intake.guard.in_flight = in_work
        assert (await intake.http.get("/products/hot")).status_code == 200, "at hand: it costs no more than a refusal"
        asked = {
            "search": await intake.http.get("/search?q=hot"),
            "listing": await intake.http.get("/products"),
            "product": await intake.http.get(f"/products/cold-{in_work}"),
            "room": await intake.http.get("/sales/sale/room"),
            "order": await intake.post("sale"),
        }
        answers[in_work] = [name for name, answer in asked.items() if answer.status_code == 503]
        assert all(answer.headers["retry-after"] for answer in asked.values() if answer.status_code == 503)
        intake.guard.in_flight = 0
    assert answers == {
        2: [],
        3: ["search"],
        4: ["search", "listing"],
        6: ["search", "listing", "product"],
        8: ["search", "listing", "product", "room"],
        10: ["search", "listing", "product", "room", "order"],
    }
