"""A small sale with everything in it, played over HTTP on real stores; and the log of whoever played it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from redis.asyncio import Redis

from db import sales
from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop
from tests.fixtures.visitors import Visitor
from tests.fixtures.waiting import eventually
from waitingroom.records import minutes
from workers.publish import sale_minutes
from workers.report.marks import ReportMarks
from workers.runtime import job_queue
from workers.runtime.presence import Presence

LAMP, RUG = "lamp", "rug"


@dataclass
class Log:
    """What the one who sent it all saw: kept apart from what the stores say."""

    joined: int = 0
    admitted: int = 0
    posts: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    """Of posts: `202`, or the code of the refusal."""
    orders: dict[str, str] = field(default_factory=dict)
    """Customer -> order id."""


@dataclass
class Played:
    """The sale, and who played it."""

    intake: Intake
    shop: Shop
    log: Log
    sale_number: int


async def play(intake: Intake, shop: Shop, room: Redis) -> Played:
    """Play the whole sale and close it; nothing of it is under way afterwards."""
    played = Played(intake, shop, Log(), 0)
    await _open(played)
    visitors = [Visitor(intake, "night", f"v{number}") for number in range(16)]
    for visitor in visitors:
        assert (await visitor.join()).status_code == 201
        played.log.joined += 1
    # Not in the order in which they stand: the last of each four come first.
    *early, late, _gone = [visitors[at + step] for at in (0, 4, 8, 12) for step in (3, 0, 2, 1)]
    for visitor in early:
        await _buy(played, visitor)
    await _without_admission(played)
    await _work_off(played)
    await _after(played)
    await _buy(played, late)  # what came back is gone again
    await _work_off(played)
    await _schedule(played)
    await _close(played, room)
    return played


async def _open(played: Played) -> None:
    intake = played.intake
    await intake.make_product(LAMP, units=6)
    await intake.make_product(RUG, units=40)
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    timeline = [
        {"at": soon.isoformat(), "room": {"message": "soon", "grace_s": 50}},
        {"at": (soon + timedelta(seconds=0.1)).isoformat(), "room": {"message": "now"}},
        {"at": (soon + timedelta(hours=1)).isoformat(), "phase": "closed"},
    ]
    sale = {
        "timeline": timeline,
        "sale_id": "night",
        "name": "The night",
        "hold_s": 60,
        "products": [
            {"product_id": LAMP, "limits": {"customer": 2, "email": 3}},
            {"product_id": RUG, "quantity": 7, "price": 250},
        ],
        "room": {"mode": "always", "rate_per_s": 200, "burst": 4, "grace_s": 60},
    }
    made = (await intake.ops.post("/ops/sales", json=sale, headers={"X-Operator": "nina"})).raise_for_status().json()
    played.sale_number = played.shop.sale_number = made["sale_number"]


_WANTS: list[dict[str, Any]] = [
    {"lines": [(LAMP, 2)]},
    {"lines": [(LAMP, 1), (RUG, 2)]},
    {"lines": [(RUG, 1)], "payment": {"token": "decline"}},
    {"lines": [(LAMP, 2)], "identities": {"email": "ann@example.org"}},
    {"lines": [(LAMP, 2)], "identities": {"email": "ann@example.org"}},  # over the limit of the address
    {"lines": [(LAMP, 1)], "payment": {"token": "decline"}},
    {"lines": [(LAMP, 1)], "standby": True},  # gets the declined one
    {"lines": [(LAMP, 2)], "standby": True},  # waits in vain
    {"lines": [(LAMP, 1)]},  # sold out
    {"lines": [(RUG, 2)]},
    {"lines": [(RUG, 1)]},
    {"lines": [(RUG, 1)]},
    {"lines": [(RUG, 2)]},  # the allotment is gone
    {"lines": [(LAMP, 2)], "standby": True},  # cancelled by its shopper while it waits
    {"lines": [(LAMP, 1)]},  # late, when one came back
]


async def _buy(played: Played, visitor: Visitor) -> None:
    admission = await visitor.admitted()
    played.log.admitted += 1
    wanted = _WANTS[len(played.log.orders)]
    customer = f"customer-{len(played.log.orders)}"
    body = {
        **wanted,
        "customer_id": customer,
        "lines": [{"product_id": product, "quantity": units} for product, units in wanted["lines"]],
    }
    answer = await visitor.order(admission, f"key-{customer}", **body)
    _note(played.log, answer)
    played.log.orders[customer] = answer.json()["order_id"]


def _note(log: Log, answer: httpx.Response) -> None:
    log.posts += 1
    log.answers[str(answer.json().get("code", answer.status_code))] += 1


async def _without_admission(played: Played) -> None:
    for number in range(3):
        answer = await played.intake.post("night", key=f"gate-{number}", lines=[{"product_id": RUG, "quantity": 1}])
        assert answer.status_code == 401
        _note(played.log, answer)


async def _work_off(played: Played) -> None:
    shop = played.shop
    await shop.drain()
    await shop.settle()
    await shop.standby()
    await shop.settle()
    await shop.money()


async def _after(played: Played) -> None:
    """Send parcels, give money back, cancel in part and whole."""
    intake, orders = played.intake, played.log.orders
    ops = intake.ops

    async def confirmed(customer: str) -> str:
        order = orders[customer]
        assert (await ops.get(f"/ops/orders/{order}")).json()["status"] == "confirmed", customer
        return order

    first, second, third = [await confirmed(f"customer-{number}") for number in (0, 1, 9)]
    (await ops.post(f"/ops/orders/{first}/transitions", json={"to": "processing"})).raise_for_status()
    shipped = await ops.post(f"/ops/orders/{first}/shipments", json={"carrier": "DHL"})
    parcel = shipped.raise_for_status().json()["shipment_id"]
    (await ops.patch(f"/ops/orders/{first}/shipments/{parcel}", json={"status": "delivered"})).raise_for_status()
    refund = {"lines": [{"line": 1, "quantity": 1, "restock": True}], "reason": "broken"}
    await _refund(ops, first, refund)
    sorry = {"amount": 30, "reason": "it came late"}
    await _refund(ops, second, sorry)
    partly = {"lines": [{"line": 2, "quantity": 1}]}
    (await intake.http.post(f"/orders/{second}/cancel", json=partly)).raise_for_status()
    (await intake.http.post(f"/orders/{third}/cancel")).raise_for_status()
    (await intake.http.post(f"/orders/{orders['customer-13']}/cancel")).raise_for_status()
    await played.shop.money()
    await played.shop.standby()
    await played.shop.settle()
    await played.shop.money()


async def _refund(ops: httpx.AsyncClient, order: str, refund: dict[str, Any]) -> None:
    key = {"Idempotency-Key": f"refund-{order}"}
    (await ops.post(f"/ops/orders/{order}/refunds", json=refund, headers=key)).raise_for_status()


async def _schedule(played: Played) -> None:
    """Look as a scheduler does that came a minute late, and was started anew in between."""
    shop = played.shop
    jobs_url = shop.settings.jobs_redis_url.get_secret_value()
    with job_queue.connect(jobs_url) as jobs:
        presence = Presence(jobs)
        presence.renew()
        marks = ReportMarks(jobs, jobs_url)
        try:

            async def marked() -> bool:
                await marks.look(shop.db, await sales.live_sales(shop.db))
                return bool(await shop.db.fetchval("select count(*) = 2 from timeline_marks"))

            await eventually(marked, what="the plan to be seen in force")
        finally:
            await marks.close()
            presence.end()
    await shop.db.execute(
        "update timeline_marks set seen_at = at + interval '61.25 s' where at = (select max(at) from timeline_marks)"
    )


async def _close(played: Played, room: Redis) -> None:
    (await played.intake.ops.post("/ops/sales/night/close", headers={"X-Operator": "nina"})).raise_for_status()
    await played.shop.standby()
    await played.shop.money()
    await played.shop.relay()

    async def told() -> bool:
        """Whether the intake has told all that it counted: it does once a second."""
        found = await minutes.to_copy(room, [played.sale_number], 2**40)
        seen = [await minutes.read(room, number, minute) for number, minute in found]
        return sum(one.offered for one in seen) >= played.log.posts

    await eventually(told, what="the counts by minute to be told")
    await sale_minutes.copy(room, played.shop.db, [played.sale_number], time.time() + 120)
