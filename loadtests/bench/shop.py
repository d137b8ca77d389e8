"""The benchmark's shop: one hot product with more stock than any run can sell. Measures nothing."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path

from doorbuster.contract.room import RoomRequest
from doorbuster.contract.sales import LimitsRequest, PaymentMode, SaleProductRequest, SaleRequest
from loadtests.generate.catalogue import Product, write
from loadtests.scene.stage import NO_ROOM
from loadtests.scene.system import System, running
from loadtests.traffic.plan import Mix

HOT = Product(
    product_id="hot", name="Hot product", brand="Bench", category="Bench", price=100, currency="EUR", stock=100_000_000
)

SHARED_WORKERS = 4


class Fresh:
    """A new system for each measurement: none finds what another left."""

    def fresh(self, *, workers: int, private_webhooks: bool = False) -> AbstractAsyncContextManager[System]:
        """Run a new system with the hot product in its catalogue."""
        return _running(workers=workers, private_webhooks=private_webhooks)


class Shared(Fresh):
    """One system for all measurements of a quick run, whose figures mean nothing."""

    def __init__(self, system: System) -> None:
        self._system = system

    def fresh(self, *, workers: int, private_webhooks: bool = False) -> AbstractAsyncContextManager[System]:  # noqa: ARG002
        """Hand out the one that runs, whatever is asked for."""
        return nullcontext(self._system)


@asynccontextmanager
async def shared() -> AsyncIterator[Fresh]:
    """Run one system for all measurements."""
    async with _running(workers=SHARED_WORKERS, private_webhooks=True) as system:
        yield Shared(system)


@asynccontextmanager
async def _running(*, workers: int, private_webhooks: bool) -> AsyncIterator[System]:
    with tempfile.TemporaryDirectory(prefix="doorbuster-bench-") as folder:
        catalogue = Path(folder, "catalogue.jsonl")
        write([HOT], catalogue)
        told = str(private_webhooks).lower()
        async with running(Path(folder, "data"), workers=workers, WEBHOOK_ALLOW_PRIVATE=told) as system:
            await system.import_catalogue(catalogue)
            yield system


async def open_sale(
    system: System,
    sale_id: str,
    room: RoomRequest = NO_ROOM,
    *,
    payment: PaymentMode = "capture",
    limits: LimitsRequest | None = None,
) -> None:
    """Open a sale of the hot product."""
    product = SaleProductRequest(product_id=HOT.product_id, limits=limits)
    await system.create_sale(SaleRequest(sale_id=sale_id, products=[product], room=room, payment=payment))


def mix(sale_id: str, prefix: str, *, token: str | None = None, admissions: list[str] | None = None) -> Mix:
    """Return shoppers who all want the hot product; another prefix makes other shoppers."""
    return Mix(
        products=[HOT.product_id],
        weights=[1.0],
        path=f"/sales/{sale_id}/orders",
        prefix=prefix,
        tokens={token: 1.0} if token else {},
        admissions=admissions or [],
    )
