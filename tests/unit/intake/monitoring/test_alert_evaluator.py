"""Which alerts fire by which samples, and when: the table's own conditions on a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from intake.monitoring.alerts.evaluator import AlertEvaluator, names_of
from intake.monitoring.alerts.history import Labels
from intake.monitoring.alerts.table import ALERTS

Figures = dict[str, dict[Labels, float]]
STORES = ("postgres", "orders_store", "room_store", "jobs_store", "cache")


def labels(**named: str) -> Labels:
    return tuple(sorted(named.items()))


def calm(**changes: Any) -> Figures:
    """Return the figures of an ordinary night, but for some: name -> {labels: value}."""
    figures: Figures = {
        "doorbuster_store_up": {labels(store=store): 1 for store in STORES},
        "doorbuster_processes": {labels(role="worker"): 3, labels(role="scheduler"): 1},
        "doorbuster_order_store_durable": {(): 1},
        "doorbuster_order_store_memory_ratio": {(): 0.3},
        "doorbuster_orders_total": {labels(verdict="accepted"): 1_000, labels(verdict="unknown"): 0},
        "doorbuster_oldest_seconds": {labels(shift="drain", sale="s", partition="0"): 0.4},
        "doorbuster_payment_operations": {labels(state="due"): 9, labels(state="failed"): 0},
        "doorbuster_dead_letters": {labels(kind=kind): 0 for kind in ("order", "delivery", "payment")},
        "doorbuster_ledger_breaches": {(): 0},
        "doorbuster_webhooks": {labels(state="active"): 2, labels(state="paused"): 0},
    }
    return figures | {
        f"doorbuster_{name}": figures.get(f"doorbuster_{name}", {}) | new for name, new in changes.items()
    }


FAULTS: dict[str, list[dict[str, dict[Labels, float]]]] = {
    "OrdersNotAccepted": [
        {"store_up": {labels(store="orders_store"): 0}},
        {"order_store_durable": {(): 0}},
    ],
    "OrderStoreFilling": [{"order_store_memory_ratio": {(): 0.81}}],
    "PostgresDegraded": [
        {"store_up": {labels(store="postgres"): 0}},
        {"replica_usable": {labels(server="replica 1"): 1, labels(server="replica 2"): 0}},
    ],
    "NobodyWorks": [
        {"store_up": {labels(store="jobs_store"): 0}},
        {"processes": {labels(role="scheduler"): 0}},
        {"processes": {labels(role="worker"): 0}, "oldest_seconds": {labels(shift="drain", sale="s"): 99}},
        {"processes": {labels(role="worker"): 0}, "oldest_seconds": {labels(shift="relay"): 99}},
        {"processes": {labels(role="worker"): 0}, "oldest_seconds": {labels(shift="settle", sale="s"): 99}},
    ],
    "DrainLate": [{"oldest_seconds": {labels(shift="drain", sale="s", partition="1"): 10.1}}],
    "PaymentsFailing": [
        {"payments_paused": {labels(shift="settle:1:0", why="down"): 1}},
        {"oldest_seconds": {labels(shift="settle", sale="s", partition="0"): 10.1}},
        {"oldest_seconds": {labels(shift="money"): 10.1}},
    ],
    "PromiseBroken": [
        {"ledger_breaches": {(): 1}},
        {"audit_breaches": {labels(promise="P4"): 1}},
        {"dead_letters": {labels(kind="order"): 1}},
        {"payment_operations": {labels(state="failed"): 1}},
    ],
    "RoomDegraded": [{"store_up": {labels(store="room_store"): 0}}],
    "TellingLate": [
        {"oldest_seconds": {labels(shift=shift): 10.1}} for shift in ("relay", "fan_out", "catalogue")
    ] + [{"webhooks": {labels(state="paused"): 1}}, {"dead_letters": {labels(kind="delivery"): 1}}],
    "PrewarmNoGo": [{"prewarm_no_go": {labels(sale="s"): 2}}],
}  # fmt: skip


def test_there_are_ten_at_most_and_each_has_its_faults_here() -> None:
    assert len(ALERTS) <= 10
    assert {alert.name for alert in ALERTS} == set(FAULTS)


def test_an_ordinary_night_fires_nothing() -> None:
    evaluator = AlertEvaluator(ALERTS)
    for minute in range(60):
        counts = {labels(verdict="accepted"): 1_000.0 * minute, labels(verdict="unknown"): minute // 20}
        assert evaluator.judge(calm(orders_total=counts), at=minute * 15.0, unix_s=0.0) == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [(name, fault) for name, faults in FAULTS.items() for fault in faults],
    ids=lambda one: one if isinstance(one, str) else "+".join(one),
)
def test_a_fault_fires_its_own_alert_alone_in_its_time_and_ends_with_it(name: str, fault: dict[str, Any]) -> None:
    evaluator = AlertEvaluator(ALERTS)
    alert = next(alert for alert in ALERTS if alert.name == name)
    assert evaluator.judge(calm(), at=0.0, unix_s=1_000.0) == []
    for after in (0.0, alert.for_s - 0.1):
        seen = evaluator.judge(calm(**fault), at=5.0 + max(after, 0.0), unix_s=1_005.0 + after)
        assert names_of(seen) == ([] if alert.for_s else [name])
    (firing,) = evaluator.judge(calm(**fault), at=5.0 + alert.for_s, unix_s=1_005.0 + alert.for_s)
    assert (firing.name, firing.since, firing.severity) == (name, 1_005.0, alert.severity)
    assert firing.summary.startswith(f"{alert.what}: ")
    assert firing.runbook == f"docs/runbook.md#{name.lower()}"
    evaluator.judge(calm(), at=6.0 + alert.for_s, unix_s=0.0)
    assert evaluator.judge(calm(), at=120.0 + alert.for_s, unix_s=0.0) == evaluator.firing == []


def test_a_condition_that_comes_and_goes_does_not_fire() -> None:
    evaluator = AlertEvaluator(ALERTS)
    for turn in range(20):
        late = {labels(shift="drain", sale="s", partition="0"): 11.0 if turn % 3 else 1.0}
        assert evaluator.judge(calm(oldest_seconds=late), at=turn * 10.0, unix_s=0.0) == []


def test_a_provider_that_is_tried_now_and_then_is_still_left_alone() -> None:
    evaluator = AlertEvaluator(ALERTS)
    for turn in range(10):
        paused = {"payments_paused": {labels(shift="settle:1:0", why="down"): 1.0}} if turn % 3 else {}
        seen = evaluator.judge(calm(**paused), at=turn * 10.0, unix_s=0.0)
    assert names_of(seen) == ["PaymentsFailing"]


@pytest.mark.parametrize(
    ("unknown", "fires"), [(5, False), (20, False), (60, True)], ids=["few", "a small share", "many"]
)
def test_posts_whose_outcome_is_unknown_fire_by_their_share(unknown: int, fires: bool) -> None:
    evaluator = AlertEvaluator(ALERTS)
    for turn in range(12):  # 4,000 posts in each look
        counts = {labels(verdict="accepted"): 4_000.0 * turn, labels(verdict="unknown"): float(unknown * turn)}
        seen = evaluator.judge(calm(orders_total=counts), at=turn * 5.0, unix_s=0.0)
    assert names_of(seen) == (["OrdersNotAccepted"] if fires else [])


def test_a_counter_that_began_again_does_not_count_backwards() -> None:
    evaluator = AlertEvaluator(ALERTS)
    for turn in range(12):
        grown = 40.0 * (turn if turn < 6 else turn - 6)
        counts = {labels(verdict="accepted"): 100.0 * turn, labels(verdict="no_gate"): grown}
        seen = evaluator.judge(calm(orders_total=counts), at=turn * 5.0, unix_s=0.0)
    assert names_of(seen) == ["OrdersNotAccepted"]


def test_a_summary_has_the_figure_and_what_it_is_of() -> None:
    evaluator = AlertEvaluator([replace(alert, for_s=0) for alert in ALERTS])
    late = {labels(shift="drain", sale="s", partition="0"): 41.26, labels(shift="drain", sale="s", partition="1"): 1.0}
    (firing,) = evaluator.judge(calm(oldest_seconds=late), at=0.0, unix_s=7.0)
    assert firing.summary == "Accepted orders are drained late: seconds that the oldest one has waited: 41.26, sale s"
