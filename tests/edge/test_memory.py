"""What a process keeps for whoever asks is bounded in bytes, not in number alone."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fixtures.intake import Serve
from tests.fixtures.visitors import open_room

MIB = 2**20


async def test_copies_of_products_are_bounded_in_bytes(serve: Serve) -> None:
    intake = await serve(catalogue_copies_mb=1)
    long = {"brand": "", "category": "things", "price": 1, "currency": "EUR", "description": "d" * 10_000}
    names = [f"p{n}" for n in range(60)]
    for name in names:
        (await intake.ops.put(f"/ops/products/{name}", json=long | {"name": name})).raise_for_status()
    reader: Any = intake.guard.fast_paths[0]._at_hand.__self__.reader  # type: ignore[attr-defined]
    for _ in range(2):
        for name in names:
            assert (await intake.http.get(f"/products/{name}")).status_code == 200
            assert reader.weight <= MIB
    assert 20 < len(reader._copies) < 40
    assert reader.weight == sum(copy.weight for copy in reader._copies.values())
    for page in range(40):  # each its own page of the same listing
        assert (await intake.http.get(f"/products?limit=100&cursor=p{page}")).status_code == 200
    assert reader.weight <= MIB
    reader.outdate_everything()
    assert reader.weight == 0


async def test_headers_of_languages_are_not_kept_whole(serve: Serve, room_redis_url: str) -> None:
    intake = await serve(room_redis_url=room_redis_url)
    await open_room(intake)
    import tracemalloc

    async def ask(n: int) -> None:
        header = {"Accept": "text/html", "Accept-Language": f"de;q=0.{n}," + f"x{n}," * 3_000}
        assert (await intake.http.get("/sales/sale/wait", headers=header)).headers["Content-Language"] == "de"

    await asyncio.gather(*(ask(n) for n in range(1, 20)))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for n in range(20, 300):  # some 4 MB of headers
            await ask(n)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2 * MIB
