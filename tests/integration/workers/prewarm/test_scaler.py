"""It is scaled out for the largest wish and back to what it was, once, whoever looks and whatever fails meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import sales
from db.connections.pool import Connection
from db.prewarm import scaling
from tests.fixtures.shop import Shop
from tests.fixtures.waiting import eventually
from workers.prewarm import scaler as module
from workers.prewarm.scaler import Scaler
from workers.scaling import adapters
from workers.scaling.interface import Counts, ScalingError


class Platform:
    """A platform of one intake and two workers, and what it was asked."""

    name = "aws"

    def __init__(self) -> None:
        self.now = {"intake": 1, "workers": 2}
        self.asked: list[dict[str, int]] = []
        self.plans: dict[str, tuple[datetime, dict[str, int]]] = {}
        self.problem = ""

    async def look(self) -> dict[str, Any]:
        if self.problem:
            raise ScalingError(self.problem)
        return dict(self.now)

    async def apply(self, before: Mapping[str, Any], wanted: Counts) -> None:
        await asyncio.sleep(0.02)
        if self.problem:
            raise ScalingError(self.problem)
        self.now = {role: max(before[role], wanted.get(role, 0)) for role in before}
        self.asked.append(dict(wanted))

    async def falls_short(self, wanted: Counts) -> bool:
        return any(self.now[role] < count for role, count in wanted.items())

    async def plan(self, name: str, at: datetime, wanted: Counts) -> None:
        self.plans[name] = (at, dict(wanted))

    async def unplan(self, name: str) -> None:
        self.plans.pop(name, None)

    async def close(self) -> None:
        pass


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    platform = Platform()
    monkeypatch.setitem(adapters.ADAPTERS, "aws", lambda _: platform)
    monkeypatch.setattr(module, "AGAIN_S", (0.01, 0.01))
    return platform


@pytest.fixture
async def stocked(shop: Shop) -> Shop:
    shop.settings = shop.settings.model_copy(update={"scaling": "aws"})
    await shop.stock(lamp=50)
    return shop


async def make_sale(shop: Shop, sale_id: str, starts_in_s: float, **scale: int) -> sales.Sale:
    spec = sales.SaleSpec(
        sale_id=sale_id, products=[sales.SaleProduct(product_id="lamp")], prewarm={"scale": scale},
        starts_at=datetime.now(UTC) + timedelta(seconds=starts_in_s), prewarm_lead_s=300,
    )  # fmt: skip
    return await sales.create_sale(shop.db, spec)


def scaler(shop: Shop, **more: Any) -> Scaler:
    return Scaler(shop.settings, shop.orders, **more)


async def look(shop: Shop, *scalers: Scaler) -> None:
    for one in scalers:
        await one.look(shop.db, await sales.live_sales(shop.db))
    await asyncio.gather(*(one.beside.finish() for one in scalers))


async def moved(shop: Shop, sale: sales.Sale, by: str) -> None:
    await shop.db.execute(
        "update sales set starts_at = now() + $2::text::interval where sale_id = $1", sale.sale_id, by
    )


async def steps_of(db: Connection, sale: sales.Sale) -> list[str]:
    rows = await db.fetch("select step from prewarm_steps where sale_number = $1 order by done_at", sale.number)
    return [row["step"] for row in rows if not row["step"].startswith("ahead")]


async def test_a_wish_is_put_in_force_at_the_lead_and_taken_back_when_all_is_worked_off(
    stocked: Shop, platform: Platform
) -> None:
    sale = await make_sale(stocked, "spring", 900, intake=4, workers=8)
    both = scaler(stocked), scaler(stocked)
    await look(stocked, *both)
    assert platform.asked == [], "it is too early"
    await moved(stocked, sale, "200 s")
    for _ in range(3):
        await look(stocked, *both)
    assert (platform.asked, platform.now) == ([{"intake": 4, "workers": 8}], {"intake": 4, "workers": 8})
    stocked.sale_number = sale.number
    await moved(stocked, sale, "-1 s")
    await stocked.buy("ada", lamp=1)
    await sales.set_phase(stocked.db, "spring", "closed")
    await look(stocked, *both)
    assert platform.now["workers"] == 8, "an accepted order waits"
    await stocked.drain()
    await look(stocked, *both)
    assert platform.now["workers"] == 8, "a payment waits"
    await stocked.settle()
    for _ in range(3):
        await look(stocked, *both)
    assert (platform.asked[1:], platform.now) == ([{}], {"intake": 1, "workers": 2})
    assert await steps_of(stocked.db, sale) == ["scale_out", "scale_back"]


async def test_it_is_never_scaled_back_below_what_another_sale_wants(stocked: Shop, platform: Platform) -> None:
    first = await make_sale(stocked, "first", 100, workers=9, intake=2)
    second = await make_sale(stocked, "second", 200, workers=5, intake=3)
    one = scaler(stocked)
    await look(stocked, one)
    assert platform.now == {"intake": 3, "workers": 9}
    await sales.set_phase(stocked.db, "first", "closed")
    await look(stocked, one)
    assert platform.now == {"intake": 3, "workers": 5}
    await look(stocked, scaler(stocked))
    await sales.set_phase(stocked.db, "second", "closed")
    await look(stocked, scaler(stocked))
    assert platform.now == {"intake": 1, "workers": 2}
    assert [await steps_of(stocked.db, sale) for sale in (first, second)] == [["scale_out", "scale_back"]] * 2


async def test_a_platform_that_fails_is_asked_again_and_told_of(stocked: Shop, platform: Platform) -> None:
    await make_sale(stocked, "spring", 100, workers=9)
    platform.problem = "the maximum is 5"
    one = scaler(stocked)

    async def failures(wanted: int) -> bool:
        await look(stocked, one)
        return (await scaling.state(stocked.db, "aws")).failures == wanted

    await eventually(lambda: failures(2), what="two failures")
    state = await scaling.state(stocked.db, "aws")
    assert (state.error, state.wanted) == ("the maximum is 5", None)
    platform.problem = ""
    await eventually(lambda: failures(0), what="the platform to be asked again")
    state = await scaling.state(stocked.db, "aws")
    assert (state.error, state.wanted) == (None, {"workers": 9})
    assert platform.now["workers"] == 9


async def test_what_somebody_set_back_is_put_in_force_again(stocked: Shop, platform: Platform) -> None:
    await make_sale(stocked, "spring", 100, workers=9)
    one = scaler(stocked, verify_s=0.0)
    await look(stocked, one)
    await look(stocked, one)
    assert len(platform.asked) == 1
    platform.now["workers"] = 2
    await look(stocked, one)
    assert platform.now["workers"] == 9


async def test_the_platform_is_told_ahead_and_what_it_was_is_kept_from_then(stocked: Shop, platform: Platform) -> None:
    sale = await make_sale(stocked, "spring", 900, workers=8)
    one = scaler(stocked)
    for _ in range(2):
        await look(stocked, one)
    name = f"doorbuster-sale-{sale.number}"
    assert platform.plans[name] == (sale.starts_at - timedelta(seconds=300), {"workers": 8})
    assert (await scaling.state(stocked.db, "aws")).before == {"intake": 1, "workers": 2}
    platform.now["workers"] = 8  # the plan came true before anybody of ours looked
    await moved(stocked, sale, "299 s")
    await look(stocked, one)
    assert platform.now["workers"] == 8
    await sales.set_phase(stocked.db, "spring", "closed")
    await look(stocked, one)
    assert (platform.now, platform.plans) == ({"intake": 1, "workers": 2}, {})


async def test_who_dies_while_asking_leaves_it_to_another(stocked: Shop, platform: Platform) -> None:
    await make_sale(stocked, "spring", 100, workers=9)
    assert await scaling.take(stocked.db, "aws", for_s=60)
    other = scaler(stocked)
    await look(stocked, other)
    assert platform.asked == []
    await stocked.db.execute("update scaling set taken_until = clock_timestamp()")

    async def asked() -> bool:
        await look(stocked, other)
        return bool(platform.asked)

    await eventually(asked, what="another one to ask")
    assert platform.asked == [{"workers": 9}]
