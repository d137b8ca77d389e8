"""A standby that lacks the last commits takes the primary's place: its drain makes the same orders again, paid once.

The standby is a copy of the database as it was before those commits.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from db.audit.streams import stream_figures
from db.connections import pool as pools
from tests.integration.workers.payments.test_settle import RecordingGateway

if TYPE_CHECKING:
    from doorbuster.embedded.stores.postgres import Postgres
    from tests.fixtures.shop import Shop

Promote = Callable[[], Awaitable[None]]


@asynccontextmanager
async def standby(shop: Shop, server: Postgres) -> AsyncIterator[Promote]:
    """Copy the shop's database as it is; give what goes over to the copy."""
    original = shop.settings.database_url.get_secret_value()
    name = original.partition("?")[0].rpartition("/")[2]
    copy = original.replace(name, f"{name}_standby")
    await shop.db.close()
    admin = await asyncpg.connect(server.url("postgres"))
    try:
        await admin.execute(f"create database {name}_standby template {name} strategy file_copy")
        shop.db = await pools.connect(original, command_timeout_s=30)

        async def promote() -> None:
            await shop.db.close()
            shop.settings = shop.settings.model_copy(update={"database_url": SecretStr(copy)})
            shop.db = await pools.connect(copy, command_timeout_s=30)

        yield promote
    finally:
        await shop.db.close()
        shop.db = await pools.connect(original, command_timeout_s=30)
        await admin.execute(f"drop database {name}_standby with (force)")
        await admin.close()


async def outcomes(shop: Shop, order_ids: list[UUID]) -> tuple[list[str], tuple[int, int, int]]:
    return await shop.statuses(order_ids), await shop.ledger("lamp")


async def test_lost_commits_are_made_again(
    shop: Shop, postgres_server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    await shop.stock(lamp=5)
    await shop.open_sale("lamp")
    gateway = RecordingGateway(everything=True)
    kept = await shop.buy("ada", "bob", lamp=1, token="slow:1")
    await shop.drain(stream_keep_s=600)
    await shop.settle(gateway)
    async with standby(shop, postgres_server) as promote:
        lost = await shop.buy("cyd", "dan", "eve", "fay", lamp=1, token="slow:1")
        await shop.drain(stream_keep_s=600)
        await shop.settle(gateway)
        await shop.relay()
        before = await outcomes(shop, kept + lost)
        assert before == (["confirmed"] * 5 + ["cancelled:sold_out"], (0, 5, 0))
        asked = list(gateway.asked)
        await promote()
        assert await shop.statuses(lost) == ["missing"] * 4
        with caplog.at_level(logging.WARNING):
            await shop.drain(stream_keep_s=600)
        (told,) = [one for one in caplog.records if one.message.startswith("Postgres lost commits")]
        assert (told.commits_lost, told.gone) == (4, 0)  # type: ignore[attr-defined]
        await shop.settle(gateway)
        await shop.relay()
        assert await outcomes(shop, kept + lost) == before
        assert gateway.asked[len(asked) :] == asked[2:], "the same orders are paid for by the same keys"
        paid = [one.payment.captured async for one in gateway.list(datetime.now(UTC) - timedelta(hours=1))]
        assert paid == [100] * 5, "nobody pays twice"
        assert await shop.breaches() == []
        assert sum(figure.breaches for figure in await stream_figures(shop.db, shop.orders)) == 0


async def test_what_was_not_kept_is_told_as_lost(
    shop: Shop, postgres_server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    """The negative control: entries that are trimmed at once cannot be drained again."""
    await shop.stock(lamp=5)
    await shop.open_sale("lamp")
    await shop.buy("ada", lamp=1)
    await shop.drain()
    async with standby(shop, postgres_server) as promote:
        lost = await shop.buy("cyd", "dan", lamp=1)
        await shop.drain()
        await promote()
        with caplog.at_level(logging.WARNING):
            await shop.drain()
        (told,) = [one for one in caplog.records if one.message.startswith("Postgres lost commits")]
        assert (told.levelno, told.commits_lost, told.gone) == (logging.ERROR, 2, 2)  # type: ignore[attr-defined]
        assert await shop.statuses(lost) == ["missing"] * 2
        assert (await stream_figures(shop.db, shop.orders))[0].breaches == 2
