"""A rehearsal's shadow goes without a trace: the digest of all tables and keys is the same before and after."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fixtures.rehearsing import SALE, Stage


async def _some_orders(stage: Stage, rehearsal: dict[str, Any]) -> None:
    for number, token in enumerate(("ok", "decline", "slow:50", "action:approve")):
        await stage.order(
            rehearsal, f"shopper-{number}", payment={"token": token}, identities={"email": f"s{number}@mail.example"},
            metadata={"of": "a rehearsal"},
        )  # fmt: skip
    await stage.work(int(rehearsal["shadow_id"].split("-")[1]))


async def test_the_digest_is_the_same_before_and_after(stage: Stage) -> None:
    before = await stage.digest()
    rehearsal = await stage.begin()
    await _some_orders(stage, rehearsal)
    during = await stage.digest()
    assert {name for name in during if during[name] != before.get(name)} > {"table orders", "table order_events"}
    assert during["table relay_cursors"] == before["table relay_cursors"]

    ended = await stage.end(rehearsal)

    assert ended["state"] == "removed"
    assert await stage.digest() == before


async def test_what_a_dead_driver_left_is_removed_when_its_lease_ends(stage: Stage) -> None:
    before = await stage.digest()
    rehearsal = await stage.begin()
    await _some_orders(stage, rehearsal)
    await stage.order(rehearsal, "late")  # is in the stream, and not drained
    await stage.shop.db.execute("update rehearsals set lease_expires_at = now()")

    await stage.remove()
    shadow = rehearsal["shadow_id"]
    assert (await stage.intake.ops.get(f"/ops/sales/{shadow}")).json()["phase"] == "closed"
    await stage.shop.db.execute("update rehearsals set remove_at = now() + interval '4 s'")
    while await stage.shop.db.fetchval("select removed_at is null from rehearsals"):
        await stage.remove()
        await asyncio.sleep(0.05)

    assert await stage.digest() == before
    path = f"/ops/sales/{SALE}/rehearsals/{rehearsal['rehearsal_id']}"
    assert (await stage.intake.ops.patch(path, json={})).status_code == 409
    answer = await stage.intake.post(shadow, lines=[{"product_id": "lamp", "quantity": 1}])
    assert answer.json()["code"] == "sale_not_found"
    assert await stage.digest() == before
