"""An export is read from a replica where there is one, and goes on when that dies in the middle of it."""

from __future__ import annotations

from typing import Any

from catalogue.service import Catalogue
from db.orders.exporting import ExportFilter, Exporting
from intake.database import Database
from intake.ops.export.resource import ExportOrders
from tests.fixtures.replicas import Replicated, connected, reading
from tests.fixtures.waiting import eventually
from tests.integration.intake.ops.test_order_filters import fill


async def test_an_export_comes_from_the_replica_and_outlives_it(replicated: Replicated) -> None:
    settings = replicated.settings()
    database = Database(settings.database_url.get_secret_value(), timeout_s=2)
    await database.open()
    async with connected(replicated) as primary, reading(Catalogue(settings)) as process:
        number = await primary.fetchval(
            "insert into sales (sale_id, starts_at) values ('s', now()) returning sale_number"
        )
        await fill(primary, number, 600)
        replicas = process.replicas
        resource = ExportOrders(database, replicas)

        async def seen() -> bool:
            counted = await replicas.read(lambda connection, _: connection.fetchval("select count(*) from orders"))
            return bool(counted == 600)

        await eventually(seen)
        exporting = Exporting(ExportFilter(), page=100)
        assert await resource._read(exporting.begin)
        before = replicas.reads.copy()
        found: list[Any] = await resource._read(exporting.next_page) or []
        assert (replicas.reads - before).keys() == {"replica 1"}
        with replicated.replica.stopped():
            while (page := await resource._read(exporting.next_page)) is not None:
                found += page
        assert len({order.order_id for order in found}) == 600
    await database.close()
