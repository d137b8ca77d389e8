"""The whole way: sold in Doorbuster, told by its webhooks or its export, and once in each shop's order system."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID
from wsgiref.simple_server import WSGIRequestHandler, make_server

import falcon
import pytest

from db.orders.orders import read_order
from db.orders.states import Status
from db.orders.transitions import transition
from db.orders.view import show
from intake.ops.export.rows import json_rows
from tests.fixtures.importers.orders import SECRET
from tests.fixtures.importers.serving import Fault
from tests.fixtures.importers.systems import SHOPS, Bench, bench
from tests.fixtures.receivers import Hooks, Receiver

SHIPS_TO: Any = {
    "email": "ada@example.org",
    "shipping_address": {
        "first_name": "Ada",
        "address1": "Weg 1",
        "city": "Berlin",
        "postal_code": "10969",
        "country": "DE",
    },
}


class Quiet(WSGIRequestHandler):
    """Says nothing of its requests."""

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def received(one: Bench) -> Iterator[str]:
    """Serve an importer's receiver as `main` does, and give its address."""
    app: Any = falcon.App()
    app.add_route("/", one.module.Receiver(one.system, SECRET))
    with make_server("127.0.0.1", 0, app, one.module._Server, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


async def sell(hooks: Hooks) -> list[UUID]:
    """Sell a lamp to each of three."""
    await hooks.shop.stock(lamp=100)
    await hooks.shop.open_sale("lamp")
    ids = await hooks.shop.buy("ada", "bob", "cyd", key="1", lamp=1)
    await hooks.shop.drain()
    await hooks.shop.settle()
    await hooks.shop.db.execute("update orders set metadata = $1", SHIPS_TO)
    return [UUID(str(one)) for one in ids]


@pytest.mark.parametrize("name", SHOPS)
async def test_by_webhooks(name: str, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(name, monkeypatch) as one, received(one) as url:
        await hooks.endpoint(Receiver(secret=SECRET, url=url))
        gone, off, kept = await sell(hooks)
        one.shop.faults = [Fault("lost", 3), Fault("503", 6), Fault("429", 9)]
        await hooks.tell()
        for to in (Status.PROCESSING, Status.SHIPPED):
            await transition(hooks.shop.db, gone, to)
        await transition(hooks.shop.db, off, Status.CANCELLED)
        await hooks.tell()
        assert one.shop.faults == []
        booked = one.shop.booked()
        assert {UUID(key): [told.state for told in of] for key, of in booked.items()} == {
            gone: ["done"], off: ["cancelled"], kept: ["open"],
        }  # fmt: skip
        states = await hooks.shop.db.fetch("select distinct state from webhook_deliveries")
        assert [row["state"] for row in states] == ["delivered"]


@pytest.mark.parametrize("name", SHOPS)
async def test_by_the_export(name: str, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await sell(hooks)
    found = [await read_order(hooks.shop.db, one) for one in ids]
    lines = json_rows([show(order) for order in found if order is not None]).splitlines(keepends=True)
    with bench(name, monkeypatch) as one:
        for _ in range(2):
            assert await asyncio.to_thread(one.module.read_file, one.system, lines) == 0
        booked = one.shop.booked()
        assert {UUID(key) for key in booked} == set(ids)
        assert all(len(of) == 1 for of in booked.values())
        assert {told.total for of in booked.values() for told in of} == {Decimal(1)}
