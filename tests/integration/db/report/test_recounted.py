"""Every figure of a report, recomputed from raw events by a second program that knows nothing of the first."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from db.connections.pool import Connection
from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop
from tests.integration.db.report.recount import Raw, recount
from tests.integration.db.report.scenario import Played, play

TABLES = (
    "sales", "sale_products", "orders", "order_lines", "order_events", "reservations", "standby", "stock",
    "stock_movements", "shelf_turns", "payment_operations", "refunds", "ops_log", "sale_plans", "timeline_marks",
    "process_starts",
)  # fmt: skip


async def raw_of(played: Played, db: Connection, room: Redis) -> Raw:
    tables = {name: [dict(row) for row in await db.fetch(f"select * from {name}")] for name in TABLES}
    visited: list[Any] = await room.lrange(f"doorbuster:{{room.{played.sale_number}}}:visited", 0, -1)
    log = played.log
    return Raw(tables, visited, round(time.time() * 1000), 0, log.posts, log.joined, log.admitted, log.answers)


def moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@pytest.fixture
async def told(roomy: Intake, shop: Shop, room_redis: Redis) -> tuple[dict[str, Any], dict[str, Any]]:
    """The report, and what the second program makes of the same sale."""
    played = await play(roomy, shop, room_redis)
    answer = await roomy.ops.get("/ops/sales/night/report")
    assert answer.status_code == 200, answer.text
    return answer.json(), recount(await raw_of(played, shop.db, room_redis))


async def test_the_report_is_what_a_second_program_counts(told: tuple[dict[str, Any], dict[str, Any]]) -> None:
    report, counted = told
    assert (report["settled"], report["preview"], report["unsettled"]) == (True, False, [])
    for name in ("totals", "waits", "estimates", "fairness", "limits", "standby"):
        assert report[name] == counted[name], name
    assert {name: report["room"][name] for name in counted["room"]} == counted["room"]
    refunds = report["money"]["operations"]["refund"]
    assert report["money"] | {"refund_operations": [refunds["done"], refunds["amount"]]} == (
        report["money"] | counted["money"]
    )
    sale = report["sale"] | {"over_at": moment(report["sale"]["over_at"])}
    assert sale == report["sale"] | counted["sale"]
    minutes = {moment(row["at"]): [row["accepted"], row["confirmed"], row["cancelled"]] for row in report["minutes"]}
    assert minutes == counted["minutes"]
    for name in ("offered", "joined", "admitted"):
        assert sum(row[name] for row in report["minutes"]) == counted["totals"][name]
    assert {one["promise"]: [one["verdict"], one["value"]] for one in report["promises"]} == counted["promises"]
    assert [[act["action"], act["target"], act["by"]] for act in report["acts"] if act["target"] == "sale:night"] == (
        counted["acts"]
    )
    _same_plan(report, counted)
    _same_products(report["products"], counted["products"])
    _everything_happened(report)


def _same_plan(report: dict[str, Any], counted: dict[str, Any]) -> None:
    shown = [
        [moment(one["planned_at"]), moment(one["applied_at"]), one["late_s"], one["phase"], one["room"]]
        for one in report["timeline"]
    ]
    assert shown == counted["timeline"]
    assert [row[4] for row in shown] == [["grace_s", "message"], ["message"]], (
        "the close by hand came before the plan's"
    )
    late = [one for one in report["incidents"] if one["kind"] == "late_stage"]
    assert [(moment(one["at"]), moment(one["until"])) for one in late] == [
        (planned, seen) for planned, seen, late_s, *_ in counted["timeline"] if late_s > 5
    ]
    assert "message was seen in force 61.2 s late" in late[-1]["what"]
    restarts = [(moment(one["at"]), one["what"]) for one in report["incidents"] if one["kind"] == "restart"]
    assert restarts == [(at, f"the {role} {name} was started") for role, name, at in counted["restarts"]]
    assert [role for role, *_ in counted["restarts"]] == ["scheduler"]


def _same_products(shown: list[dict[str, Any]], counted: list[dict[str, Any]]) -> None:
    assert [one["product_id"] for one in shown] == [one["product_id"] for one in counted]
    for one, other in zip(shown, counted, strict=True):
        assert moment(one["sold_out_at"]) == other["sold_out_at"]
        assert one["reopened"] == other["reopened"]
        assert [(moment(spell["since"]), moment(spell["until"])) for spell in one["spells"]] == other["spells"]
        assert one["ledger"] == other["ledger"] | {"balances": True}
        assert one["in_sale"] == other["in_sale"] | {"balances": True}


def _everything_happened(report: dict[str, Any]) -> None:
    """Hold the sale to having what it was made for: a figure that is nothing on both sides says nothing."""
    lamp, rug = report["products"]
    assert len(lamp["spells"]) == 2
    assert lamp["spells"][1]["until"] is None, "sold out again at the end"
    assert rug["sold_out_at"] is not None
    assert report["totals"]["cancelled"].keys() >= {"sold_out", "limit_exceeded", "payment_declined", "standby_ended"}
    assert report["limits"]["at_turn"] == {"email": 1}
    assert report["standby"]["served"] > 0
    assert report["standby"]["in_vain"] > 0
    assert report["money"]["refunded"] > 0
    assert -1 < report["fairness"]["admission"] < 1
    assert lamp["in_sale"]["restocked"] == 1
    assert report["money"]["goods"] > 0
