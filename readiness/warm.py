"""Fills what a sale will read: the shared cache, the buffers of Postgres, the CDN. Owns the bounds in time of each.

Filling changes nothing but caches, is safe to repeat, and each part goes on without the others.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from db.connections import pool
from db.prewarm import buffers
from doorbuster.failures import POSTGRES_FAILED, STORE_FAILED
from readiness.sale_checks import failed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    import aiohttp

    from catalogue.service import Catalogue
    from db.sales import Sale
    from doorbuster.settings import Settings
    from readiness.sale_checks import Check

    Filling = Callable[[Sale], Coroutine[Any, Any, Check]]

FILL_S = 20.0
"""How long each part takes at most."""
CDN_CALLS = 8
"""Calls of the CDN at a time."""
CDN_TIMEOUT_S = 5.0
NOT_SET = "PREWARM_CDN_URL names no CDN"


class Warming:
    """Fills caches for one process."""

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._primary = settings.database_url.get_secret_value()
        self._replicas = [url.get_secret_value() for url in settings.replica_urls]
        self._cdn = settings.prewarm_cdn_url

    async def warm(self, sale: Sale) -> dict[str, Check]:
        """Fill everything; return what became of each part as a check."""
        parts: dict[str, Filling] = {"cache": self._fill_cache, "buffers": self._fill_buffers, "cdn": self._fill_cdn}
        found = await asyncio.gather(*(fill(sale) for fill in parts.values()))
        return dict(zip(parts, found, strict=True))

    async def _fill_cache(self, sale: Sale) -> Check:
        began = time.monotonic()
        try:
            filled = await self._catalogue.warm(list(sale.products), within_s=FILL_S)
        except STORE_FAILED:  # each product's failure is counted; this is what the last look met
            filled = 0
        figures: Check = {
            "products": len(sale.products), "filled": filled, "took_ms": round((time.monotonic() - began) * 1000)
        }  # fmt: skip
        if filled == len(sale.products):
            return {"ok": True} | figures
        return failed("not every product could be put into the shared cache", **figures)

    async def _fill_buffers(self, _sale: Sale) -> Check:
        """Read tables and indexes into the buffers of the primary and of each replica."""
        looks = [_buffers(self._primary, "primary"), *(_buffers(dsn, "any") for dsn in self._replicas)]
        primary, *replicas = await asyncio.gather(*looks)
        return primary | ({"replicas": [said.get("warmed_mb") for said in replicas]} if replicas else {})

    async def _fill_cdn(self, sale: Sale) -> Check:
        """Ask the CDN for what it will be asked for most: each product, and the sale."""
        if self._cdn is None:
            return {"ok": True, "notes": [NOT_SET]}
        import aiohttp  # here: it would take a seventh of every intake's start, and no other call of its wants it

        paths = [f"/products/{quote(product_id, safe='')}" for product_id in sale.products]
        paths.append(f"/sales/{quote(sale.sale_id, safe='')}")
        few = asyncio.Semaphore(CDN_CALLS)
        timeout = aiohttp.ClientTimeout(total=CDN_TIMEOUT_S)

        async def fetch(session: aiohttp.ClientSession, path: str) -> str:
            async with few, session.get(f"{self._cdn}{path}") as answer:
                await answer.read()
                return "" if answer.status == 200 else f"{path} is {answer.status}"

        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            tasks = [asyncio.create_task(fetch(session, path)) for path in paths]
            _, late = await asyncio.wait(tasks, timeout=FILL_S)
            for task in late:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        wrong = [end if isinstance(end, str) else type(end).__name__ for end in ends if end != ""]
        figures: Check = {"pages": len(paths), "filled": len(paths) - len(wrong)}
        return failed(f"the CDN did not answer all: {wrong[0]}", **figures) if wrong else {"ok": True} | figures


async def _buffers(dsn: str, role: pool.Role) -> Check:
    try:
        connection = await pool.connect(
            dsn, command_timeout_s=FILL_S, application="doorbuster-prewarm", steady=False, role=role
        )
    except POSTGRES_FAILED as error:
        return failed(f"the buffers were not filled: {type(error).__name__}")
    try:
        async with asyncio.timeout(FILL_S):
            return await buffers.warm(connection)
    except POSTGRES_FAILED as error:
        return failed(f"the buffers were not filled: {type(error).__name__}")
    finally:
        connection.terminate()
