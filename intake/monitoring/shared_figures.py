"""Figures that every process sees the same, from the stores: as metrics of the process that is asked.

Owns their names. Not as gauges: those of several processes lie in files, where what is over would stay for good, and
they would be added up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

    from db.webhooks.deliveries import Waiting
    from intake.monitoring.progress import Seen
    from intake.monitoring.watched import SalesNow, Watched
    from readiness.shift_costs import ShiftCost

_ROOM_EVENTS = (
    "joined", "admitted", "bypassed", "lapsed", "left", "ordered", "expired", "throttled", "waiting_s", "pending_s",
    "active_s",
)  # fmt: skip


class SharedFigures:
    """What was seen at the last looks, as metrics."""

    def __init__(self) -> None:
        self.seen: Seen | None = None
        self.watched: Watched | None = None
        self.sales: SalesNow | None = None

    def collect(self) -> Iterator[Metric]:
        """Give the metrics."""
        if self.sales is not None:
            yield from _of_sales(self.sales)
        if self.watched is not None:
            yield from _of_watched(self.watched)
        if self.seen is not None:
            yield from _of_stages(self.seen)


def _of_sales(now: SalesNow) -> Iterator[GaugeMetricFamily]:
    """Give what sales have waiting, in the stream and in the room."""
    place = ["sale", "partition"]
    orders = GaugeMetricFamily("doorbuster_backlog_orders", "Orders accepted, not drained", labels=place)
    held = GaugeMetricFamily("doorbuster_backlog_bytes", "Bytes of their entries", labels=place)
    for where, (count, size) in now.backlog.items():
        orders.add_metric(where, count)
        held.add_metric(where, size)
    yield from (orders, held)
    yield _by_label(
        "doorbuster_scheduler_failures", "Failures of the scheduler that lie in the data, since the store was made",
        "part", now.failures,
    )  # fmt: skip
    events = GaugeMetricFamily(
        "doorbuster_room_events", "Lifecycle events since the room was made", labels=["sale", "event"]
    )
    people = GaugeMetricFamily(
        "doorbuster_room_people", "Visitors waiting, called, and let in", labels=["sale", "where"]
    )
    for sale_id, state in now.rooms.items():
        for event in _ROOM_EVENTS:
            events.add_metric([sale_id, event], getattr(state.counts, event))
        for stage in ("waiting", "pending", "active"):
            people.add_metric([sale_id, stage], getattr(state, stage))
    yield from (events, people)
    paces = {sale_id: state.pace_per_s for sale_id, state in now.rooms.items()}
    yield _by_label("doorbuster_room_pace", "Places a second that the frontier moves", "sale", paces)


def _of_stages(seen: Seen) -> Iterator[GaugeMetricFamily]:
    """Give how late each stage is, and what bounds it."""
    oldest = GaugeMetricFamily(
        "doorbuster_oldest_seconds", "Age of the oldest work that a shift has not done",
        labels=["shift", "sale", "partition"],
    )  # fmt: skip
    for stage in seen.stages:
        oldest.add_metric([stage.shift, stage.sale_id, stage.partition], stage.age_s)
    batch_max = GaugeMetricFamily(
        "doorbuster_shift_batch_max",
        "How much a shift takes at a time, where it is less than fits",
        labels=["shift"],
    )
    payments = GaugeMetricFamily(
        "doorbuster_payments_per_second", "Payments a second that the gateway takes at this concurrency",
        labels=["shift"],
    )  # fmt: skip
    paused = GaugeMetricFamily(
        "doorbuster_payments_paused", "1 where a shift leaves the payment provider alone for now",
        labels=["shift", "why"],
    )  # fmt: skip
    operations = GaugeMetricFamily(
        "doorbuster_payment_operations",
        "What is to be done at the payment provider, up to 10,000",
        labels=["state"],
    )
    operations.add_metric(["due"], seen.money.due)
    operations.add_metric(["failed"], seen.money.failed)
    for shift in seen.limited:
        if shift.payments_paused is not None:
            paused.add_metric([shift.name, shift.payments_paused], 1)
        if shift.batch_max is not None:
            batch_max.add_metric([shift.name], shift.batch_max)
        if shift.payments_per_s is not None:
            payments.add_metric([shift.name], shift.payments_per_s)
    yield from (oldest, batch_max, payments, paused, operations)
    yield from _of_webhooks(seen.webhooks)


def _of_webhooks(webhooks: list[Waiting]) -> Iterator[GaugeMetricFamily]:
    """Give what waits for each endpoint, and which get nothing."""
    states = GaugeMetricFamily("doorbuster_webhooks", "Webhooks by state", labels=["state"])
    for state in ("active", "paused", "disabled"):
        states.add_metric([state], sum(one.state == state for one in webhooks))
    oldest = GaugeMetricFamily(
        "doorbuster_webhook_oldest_seconds", "Age of the event that a webhook gets next", labels=["webhook"]
    )
    dead = GaugeMetricFamily(
        "doorbuster_webhook_dead_letters", "Deliveries that were given up, counted to 1000", labels=["webhook"]
    )
    for one in webhooks:
        oldest.add_metric([str(one.webhook_id)], one.age_s or 0.0)
        dead.add_metric([str(one.webhook_id)], one.dead)
    yield from (states, oldest, dead)


def _of_watched(watched: Watched) -> Iterator[Metric]:
    """Give how stores, processes and promises are."""
    yield _by_label("doorbuster_store_up", "1 while the store answers", "store", watched.stores)
    yield _by_label(
        "doorbuster_processes", "Live processes behind the intake, as the jobs store says", "role", watched.processes
    )
    yield GaugeMetricFamily(
        "doorbuster_order_store_durable", "1 while the order store keeps what it accepts as DURABILITY says",
        value=watched.durable,
    )  # fmt: skip
    if watched.memory_ratio is not None:
        yield GaugeMetricFamily(
            "doorbuster_order_store_memory_ratio", "Share of the order store's memory that is used",
            value=watched.memory_ratio,
        )  # fmt: skip
    yield _by_label("doorbuster_dead_letters", "What waits for a person, by kind", "kind", watched.dead_letters)
    yield _by_label(
        "doorbuster_order_store_losses", "What the order store lost within a day: by what is known of it", "what",
        watched.store_losses,
    )  # fmt: skip
    if watched.ledger_breaches is not None:
        yield GaugeMetricFamily(
            "doorbuster_ledger_breaches", "Products of sales that are not closed whose units do not add up",
            value=watched.ledger_breaches,
        )  # fmt: skip
    yield _by_label(
        "doorbuster_audit_breaches", "Breaches that the last audit found", "promise", watched.audit_breaches
    )
    if watched.audit_age_s is not None:
        yield GaugeMetricFamily("doorbuster_audit_age_seconds", "Age of the last audit", value=watched.audit_age_s)
    yield from _of_shifts(watched.costs)
    for name, text, count in (
        ("doorbuster_shifts_waiting", "Shifts that wait for a worker", watched.jobs_waiting),
        ("doorbuster_standby_orders", "Orders that stand by for units, counted to 10,000", watched.standby),
    ):
        if count is not None:
            yield GaugeMetricFamily(name, text, value=count)
    yield _by_label(
        "doorbuster_prewarm_no_go", "Checks that said no-go at a sale's last pre-warm", "sale", watched.no_go
    )


def _of_shifts(costs: Mapping[str, ShiftCost]) -> Iterator[CounterMetricFamily]:
    """Give what shifts did, and for how long they held rows and a connection for it."""
    seconds, transactions, done = (
        CounterMetricFamily(name, text, labels=["shift"])
        for name, text in (
            ("doorbuster_shift_transaction_seconds", "Seconds that shifts were in transactions"),
            ("doorbuster_shift_transactions", "Transactions of shifts"),
            ("doorbuster_shift_done", "What shifts worked off: entries, payments, events"),
        )
    )
    for kind, cost in costs.items():
        for family, value in ((seconds, cost.seconds), (transactions, cost.transactions), (done, cost.done)):
            family.add_metric([kind], value)
    yield from (seconds, transactions, done)


def _by_label(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, figure in values.items():
        family.add_metric([value], float(figure))
    return family
