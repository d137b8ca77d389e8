"""Batch posts against posts of single orders: what an order costs intake and order store. Owns that comparison.

Processor time by role, not by the clock: whoever makes the requests is not part of it. The drain is paused meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from doorbuster.contract.orders import BatchVerdict
from loadtests.bench.row import Row
from loadtests.bench.shop import HOT, Fresh, mix, open_sale
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan

if TYPE_CHECKING:
    from loadtests.bench.scale import Scale
    from loadtests.scene.system import System

LINES = 256
"""Of a batch post, as many as may be by default."""
POSTERS = 4
"""Storefronts' servers at work."""
_MEDIA = {"Content-Type": "application/x-ndjson"}
_encode = msgspec.json.Encoder().encode_lines
_verdict = msgspec.json.Decoder(BatchVerdict)


class Batches(msgspec.Struct):
    """One turn: microseconds of processor an order."""

    batch_intake_us: float
    batch_store_us: float
    single_intake_us: float
    single_store_us: float


async def measure(scale: Scale, systems: Fresh) -> list[Batches]:
    """Measure both by turns on one system."""
    async with systems.fresh(workers=1) as system:
        with system.draining_paused():
            return [await _turn(system, turn, scale) for turn in range(scale.repeats)]


async def _turn(system: System, turn: int, scale: Scale) -> Batches:
    for kind in ("batch", "single"):
        await open_sale(system, f"{kind}-{turn}")
    orders = -(-scale.orders // LINES) * LINES
    batch = await _cost_us(system, orders, lambda: _post_batches(system.ready.base, f"batch-{turn}", orders))
    single = await _cost_us(system, orders, lambda: _post_singly(system.ready.base, f"single-{turn}", orders, scale))
    return Batches(*batch, *single)


async def _cost_us(system: System, orders: int, post: Callable[[], Coroutine[Any, Any, None]]) -> tuple[float, float]:
    """Return what posting the orders cost the intake and the order store, an order."""
    before = system.processor_s()
    await post()
    after = system.processor_s()
    intake, store = ((after[role] - before[role]) / orders * 1e6 for role in ("intake", "orders"))
    return intake, store


async def _post_singly(base: str, sale: str, orders: int, scale: Scale) -> None:
    result = await carry_out(Plan(base=base, mix=mix(sale, sale), connections=scale.clients, count=orders))
    if set(result.outcomes) != {"accepted"}:
        raise RuntimeError(f"not every order was accepted, the figures would mislead: {result.answers}")


async def _post_batches(base: str, sale: str, orders: int) -> None:
    bodies = _bodies(sale, orders)
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as client:
        await asyncio.gather(*(_post(client, sale, bodies) for _ in range(POSTERS)))


async def _post(client: httpx.AsyncClient, sale: str, bodies: Iterator[bytes]) -> None:
    for body in bodies:
        answer = await client.post(f"/sales/{sale}/orders:batch", content=body, headers=_MEDIA)
        answer.raise_for_status()
        if any(verdict.status != 202 for verdict in _verdict.decode_lines(answer.content)):
            raise RuntimeError(f"not every order was accepted, the figures would mislead: {answer.text[:300]}")


def _bodies(sale: str, orders: int) -> Iterator[bytes]:
    lines = [{"product_id": HOT.product_id, "quantity": 1}]
    for first in range(0, orders, LINES):
        yield _encode(
            {"idempotency_key": f"{sale}-{number}", "customer_id": f"{sale}-{number}", "lines": lines}
            for number in range(first, first + LINES)
        )


def said(one: Batches) -> str:
    """Return a turn as a line."""
    return (
        f"an order costs the intake {one.batch_intake_us:.1f} us in a batch of {LINES}, {one.single_intake_us:.1f} us "
        f"alone; the order store {one.batch_store_us:.1f} and {one.single_store_us:.1f} us"
    )


def rows(batches: list[Batches]) -> list[Row]:
    """Return their line of the table."""
    return [
        Row(
            what="an order in a batch post, intake's processor",
            ours=median(one.batch_intake_us for one in batches),
            rival_name="a post of its own",
            rival=median(one.single_intake_us for one in batches),
            bar=0.50,
            unit=" us",
            at_most=True,
        )
    ]
