"""The alerts: what wakes people in the night of a sale, at most ten. Owns their bounds and times; watches nothing.

`deploy/prometheus/alerts.yml` is made from it (`make alerts`), the evaluator judges by it, and each name is a section
of the runbook. One cause fires one alert: what follows from nobody working is not told beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from intake.monitoring.alerts.conditions import Growth, Level, Missing, Share
from intake.monitoring.progress import LATE_S

if TYPE_CHECKING:
    from intake.monitoring.alerts.conditions import Condition

RUNBOOK = "docs/runbook.md#"
FULL_SOON = 0.8
"""Of the order store's memory; past nine tenths it takes no new orders."""
UNKNOWN_SHARE, UNKNOWN_LEAST = 0.01, 5
"""Of the orders of a minute: their senders do not know whether they were accepted."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert."""

    name: str
    what: str
    """What is the matter, in words."""
    severity: Literal["page", "ticket"]
    for_s: int
    """How long a condition must hold."""
    conditions: tuple[Condition, ...]
    unless: tuple[str, ...] = ()
    """Alerts whose conditions make this one a mere consequence."""

    @property
    def runbook(self) -> str:
        """Where it is told what to do."""
        return RUNBOOK + self.name.lower()

    @property
    def metrics(self) -> set[str]:
        """The names of the samples that it looks at."""
        return {condition.metric for condition in self.conditions}


def _up(store: str, why: str) -> Level:
    return Level(why=why, metric="doorbuster_store_up", where={"store": store}, below=1)


def _late(shifts: str | tuple[str, ...], why: str, *by: str) -> Level:
    return Level(why=why, metric="doorbuster_oldest_seconds", where={"shift": shifts}, above=LATE_S, by=by)


_ORDERS = "doorbuster_orders_total"

ALERTS = (
    Alert(
        name="OrdersNotAccepted", what="Orders are not accepted", severity="page", for_s=30,
        conditions=(
            _up("orders_store", "the order store does not answer"),
            Level(why="the order store is not as durable as DURABILITY says", metric="doorbuster_order_store_durable",
                  below=1),
            Share(why="share of posts whose outcome is unknown", metric=_ORDERS, where={"verdict": "unknown"},
                  above=UNKNOWN_SHARE, least=UNKNOWN_LEAST),
            Growth(why="posts within a minute that found no gate", metric=_ORDERS, where={"verdict": "no_gate"},
                   above=5),
            Missing(why="no intake tells its figures", metric=_ORDERS),
        ),
    ),
    Alert(
        name="OrderStoreFilling", what="The order store will soon take no orders", severity="page", for_s=30,
        conditions=(
            Level(why="share of its memory that is used", metric="doorbuster_order_store_memory_ratio",
                  above=FULL_SOON),
        ),
    ),
    Alert(
        name="PostgresDegraded", what="Postgres or a replica is away", severity="page", for_s=30,
        conditions=(
            _up("postgres", "Postgres does not answer"),
            Level(why="a replica is left out", metric="doorbuster_replica_usable", below=1, by=("server",)),
        ),
    ),
    Alert(
        name="NobodyWorks", what="Nobody works off what is accepted", severity="page", for_s=30,
        conditions=(
            _up("jobs_store", "the jobs store does not answer"),
            Level(why="no worker runs", metric="doorbuster_processes", where={"role": "worker"}, below=1),
            Level(why="no scheduler runs", metric="doorbuster_processes", where={"role": "scheduler"}, below=1),
        ),
    ),
    Alert(
        name="DrainLate", what="Accepted orders are drained late", severity="page", for_s=30,
        conditions=(_late("drain", "seconds that the oldest one has waited", "sale"),),
        unless=("NobodyWorks",),
    ),
    Alert(
        name="PaymentsFailing", what="Payments do not go on", severity="page", for_s=30,
        conditions=(
            Level(why="the payment provider is left alone for a moment", metric="doorbuster_payments_paused", above=0,
                  by=("why",), held_s=30),
            _late("settle", "seconds that the oldest payment has been due", "sale"),
            _late("money", "seconds that the oldest operation at the provider has been due"),
        ),
        unless=("NobodyWorks",),
    ),
    Alert(
        name="PromiseBroken", what="A promise may be broken, or an order waits for a person", severity="page", for_s=15,
        conditions=(
            Level(why="products whose ledger does not balance (P2)", metric="doorbuster_ledger_breaches", above=0),
            Level(why="breaches that the last audit found", metric="doorbuster_audit_breaches", above=0,
                  by=("promise",)),
            Level(why="orders answered 202 that neither store has, or times that the order store came back without its "
                      "end and nobody knows what was lost (P1)",
                  metric="doorbuster_order_store_losses", where={"what": ("orders", "unknown")}, above=0, by=("what",)),
            Level(why="accepted orders that were put aside", metric="doorbuster_dead_letters", where={"kind": "order"},
                  above=0),
            Level(why="operations that the payment provider refused for good",
                  metric="doorbuster_payment_operations", where={"state": "failed"}, above=0),
        ),
    ),
    Alert(
        name="RoomDegraded", what="The waiting room lets nobody in", severity="page", for_s=30,
        conditions=(_up("room_store", "the room's store does not answer"),),
    ),
    Alert(
        name="TellingLate", what="Other systems or caches hear late of what happens", severity="ticket", for_s=60,
        conditions=(
            _late(("relay", "fan_out", "catalogue"), "seconds that the oldest event has waited", "shift"),
            Level(why="webhooks that get nothing", metric="doorbuster_webhooks",
                  where={"state": ("paused", "disabled")}, above=0, by=("state",)),
            Level(why="deliveries that were given up", metric="doorbuster_dead_letters", where={"kind": "delivery"},
                  above=0),
        ),
        unless=("NobodyWorks",),
    ),
    Alert(
        name="PrewarmNoGo", what="A sale is not ready to begin", severity="page", for_s=0,
        conditions=(
            Level(why="checks of its pre-warm that said no-go", metric="doorbuster_prewarm_no_go", above=0,
                  by=("sale",)),
        ),
    ),
)  # fmt: skip
