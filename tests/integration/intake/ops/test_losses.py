"""Losses of the order store as ops see them: listed, acknowledged once, silent from then on, and audited for ever."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from db.audit import promises
from db.work import store_losses, witnesses
from db.work.store_losses import Gap, LostOrder
from db.work.witnesses import Word
from readiness import audited

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from tests.fixtures.commands import Command
    from tests.fixtures.intake import Intake
    from tests.fixtures.shop import Shop


def real_id() -> UUID:
    """Return an order's id that is no shadow's: those begin with a one."""
    return UUID(int=uuid4().int >> 1)


@pytest.fixture
async def loss(intake: Intake, shop: Shop, db: Connection) -> dict[str, Any]:
    """A loss with an order that is gone, and an intake that died and says nothing."""
    shop.sale_number = (await intake.open_sale("sale", "hot"))["sale_number"]
    await witnesses.note(db, uuid4(), Word("fsync", [], {}))
    cursor = f"{int(time.time() * 1000)}-0"
    await store_losses.note(db, (shop.sale_number, 0), Gap(cursor, "0-0", "0-0", 3, 1))
    await store_losses.note_lost(db, [LostOrder(real_id(), (shop.sale_number, 0), cursor)])
    [found] = await listed(intake)
    return found


async def listed(intake: Intake, **asked: str) -> list[dict[str, Any]]:
    answer = await intake.ops.get("/ops/losses", params=asked)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def shouting(intake: Intake) -> list[str]:
    """Return what status and readiness say of it."""
    status = (await intake.ops.get("/ops/status")).json()["troubles"]
    notes = (await intake.http.get("/readyz")).json()["checks"]["durability"].get("notes", [])
    return [said for said in [*status, *notes] if "202" in said]


async def test_it_is_acknowledged_once_and_stays_in_the_audit(
    intake: Intake, shop: Shop, loss: dict[str, Any], db: Connection, jobs_redis: Redis
) -> None:
    assert (loss["state"], loss["found_by"], loss["missing"], loss["strays"]) == ("open", "drain", 3, 1)
    assert (loss["lost_orders"], len(loss["order_ids"]), loss["is_unknown"]) == (1, 1, True)
    assert loss["intakes_heard"] < loss["intakes_asked"]
    assert (loss["history_to"], loss["drained_to"].partition("-")[2]) == ("0-0", "0")
    assert len(loss["intakes"]) == loss["intakes_asked"]
    silent, *_ = loss["intakes"]
    assert (UUID(silent["intake_id"]).version, silent["said_at"], silent["seen_at"] is None) == (4, None, False)
    assert len(await shouting(intake)) == 2
    path = f"/ops/losses/{loss['loss_id']}"
    assert (await intake.ops.get(path)).json()["loss_id"] == loss["loss_id"]
    assert (await intake.ops.post(f"{path}/acknowledge", json={})).status_code == 422
    answer = await intake.ops.post(
        f"{path}/acknowledge", json={"reason": "told the shopper"}, headers={"X-Operator": "ada"}
    )
    assert answer.status_code == 200, answer.text
    known = answer.json()
    assert (known["state"], known["acknowledged_by"], known["acknowledge_reason"]) == (
        "acknowledged", "ada", "told the shopper",
    )  # fmt: skip
    again = await intake.ops.post(f"{path}/acknowledge", json={"reason": "x"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await listed(intake), [one["loss_id"] for one in await listed(intake, state="all")]) == (
        [],
        [loss["loss_id"]],
    )
    assert await shouting(intake) == []
    log = (await intake.ops.get("/ops/audit", params={"target": f"loss:{loss['loss_id']}"})).json()["items"]
    assert [(one["action"], one["operator"], one["change"]["orders"]) for one in log] == [("acknowledge", "ada", 1)]
    view = await promises.look(db, shop.orders)
    broken = [(one.breaches, one.acknowledged) for one in view.figures if one.breaches]
    assert broken == [(1, 1), (1, 1)], "what nobody knows, and what is gone"
    await audited.tell(jobs_redis, view)
    told = await audited.read(jobs_redis)
    assert told is not None
    assert not sum(told.breaches.values()), "the alert goes by this"
    await _find_more(shop, db)
    assert [one["found_by"] for one in await listed(intake)] == ["intake"]
    assert len(await shouting(intake)) == 2
    await db.execute("truncate store_losses, lost_orders, loss_witnesses")


async def _find_more(shop: Shop, db: Connection) -> None:
    """Find what is lost with an acknowledged loss, later."""
    await store_losses.note_lost(db, [LostOrder(real_id(), (shop.sale_number, 0), "1-0")])


async def test_what_is_no_loss_is_refused(intake: Intake, db: Connection, shop: Shop) -> None:
    for path in ("/ops/losses/9", "/ops/losses/x", "/ops/losses/9999999999999999999"):
        assert (await intake.ops.get(path)).status_code == 404
        assert (await intake.ops.post(f"{path}/acknowledge", json={"reason": "x"})).status_code == 404
    assert (await intake.ops.get("/ops/losses?state=odd")).status_code == 422
    shop.sale_number = (await intake.open_sale("sale", "hot"))["sale_number"]
    await store_losses.note(db, (shop.sale_number, 0), Gap("1-0", "0-0", "0-0", 3, 1))
    [settled] = await listed(intake, state="settled", sale="sale")
    answer = await intake.ops.post(f"/ops/losses/{settled['loss_id']}/acknowledge", json={"reason": "x"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_the_command_lists_and_acknowledges(
    intake: Intake, loss: dict[str, Any], db: Connection, command: Command
) -> None:
    number = str(loss["loss_id"])
    assert number in (await command("losses", "list"))[1]
    shown = (await command("losses", "show", number))[1]
    assert loss["order_ids"][0] in shown
    assert f"silent  {loss['intakes'][0]['intake_id']}, last seen " in shown
    said = await command("losses", "acknowledge", number, "--reason", "told the shopper", "--yes")
    assert said == (0, f"the loss {number} is acknowledged\n", "")
    assert await command("losses", "list") == (0, "no losses\n", "")
    assert [one["state"] for one in json.loads((await command("losses", "list", "--state", "all", "--json"))[1])] == [
        "acknowledged"
    ]
    code, _, complaint = await command("losses", "acknowledge", "999", "--reason", "x", "--yes")
    assert (code, complaint.count("\n")) == (2, 1)
    assert intake.port
    await db.execute("truncate store_losses, lost_orders, loss_witnesses")
