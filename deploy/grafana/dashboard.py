"""Makes `doorbuster.json`, the dashboard of the night: `make dashboard`. Owns what is shown, as one asks at 3 a.m.

First whether anything is wrong, then whether orders are taken, worked off, paid and told, then what it costs. Every
figure is one of docs/watching.md; a panel that has a section in the runbook names it.
"""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

RUNBOOK = "docs/runbook.md"
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
SALE = 'sale=~"$sale"'
WIDTH = 24


class Shown(NamedTuple):
    """One panel: what it is called, its series (expression, legend), its unit; `now`: figures instead of a course."""

    title: str
    series: tuple[tuple[str, str], ...]
    unit: str = "short"
    about: str = ""
    now: bool = False


def rate(metric: str, by: str) -> str:
    """Return what a counter grows by a second, by a label."""
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


def quantile(share: float, metric: str, by: str = "le") -> str:
    """Return a quantile of a histogram."""
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket[$__rate_interval])))"


ROWS: tuple[tuple[str, tuple[Shown, ...]], ...] = (
    ("Is anything wrong?", (
        Shown("Alerts that fire", (('count by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}"),),
              about=f"Each has its section in {RUNBOOK}", now=True),
        Shown("Stores that answer", (("min by (store) (doorbuster_store_up)", "{{store}}"),), now=True,
              about="1: it does. orders_store: OrdersNotAccepted; postgres: PostgresDegraded; room: RoomDegraded"),
        Shown("Workers and schedulers", (("min by (role) (doorbuster_processes)", "{{role}}"),), now=True,
              about="None of one of them: NobodyWorks"),
        Shown("The order store", (("min(doorbuster_order_store_durable)", "durable"),
                                  ("max(doorbuster_order_store_memory_ratio)", "share of its memory")), now=True,
              about="OrdersNotAccepted, OrderStoreFilling"),
    )),
    ("Are orders taken?", (
        Shown("Orders a second by verdict", ((rate("doorbuster_orders_total", "verdict"), "{{verdict}}"),), "reqps",
              "accepted is the rate of the sale; any unknown is a store that did not answer: OrdersNotAccepted"),
        Shown("Refusals a second by code", ((rate("doorbuster_refusals_total", "code"), "{{code}}"),), "reqps",
              "overloaded and store_unavailable should stay at nothing"),
        Shown("Time of a batch's call to the order store", (
            (quantile(0.5, "doorbuster_accept_batch_seconds"), "half"),
            (quantile(0.99, "doorbuster_accept_batch_seconds"), "p99")), "s", "Above 50 ms its disk is too slow"),
        Shown("Requests in work", (("sum(doorbuster_in_flight)", "in work"), ("sum(doorbuster_waiting)", "waiting"),
                                   ("sum(doorbuster_event_streams)", "event streams"))),
        Shown("Shed a second for want of time, and how late the slowest process runs", (
            (rate("doorbuster_shed_total", "what"), "{{what}}"), ("max(doorbuster_loop_lag_seconds)", "late, s")),
              about="Search goes first, a product page that is at hand never"),
    )),
    ("Who waits in the room?", (
        Shown("People", ((f"max by (sale, where) (doorbuster_room_people{{{SALE}}})", "{{sale}} {{where}}"),)),
        Shown("Pace", ((f"max by (sale) (doorbuster_room_pace{{{SALE}}})", "{{sale}}"),), "reqps",
              "Nought while people wait: on hold, at a cap, or the controller gives way to the drain"),
        Shown("Joined and admitted a second", (
            (f'max by (sale, event) (rate(doorbuster_room_events{{{SALE},event=~"joined|admitted|lapsed|ordered"}}'
             "[$__rate_interval]))", "{{sale}} {{event}}"),), "reqps"),
    )),
    ("Are they worked off?", (
        Shown("Backlog",
              ((f"max by (sale, partition) (doorbuster_backlog_orders{{{SALE}}})", "{{sale}} {{partition}}"),),
              about="Grows in the peak, must shrink after it: DrainLate"),
        Shown("How late each stage is", (("max by (shift) (doorbuster_oldest_seconds)", "{{shift}}"),), "s",
              "Above 10 s: DrainLate, PaymentsFailing, TellingLate"),
        Shown("Worked off a second", ((rate("doorbuster_shift_done_total", "shift"), "{{shift}}"),), "ops"),
        Shown("Shifts that wait, orders that stand by", (("max(doorbuster_shifts_waiting)", "shifts without a worker"),
                                                         ("max(doorbuster_standby_orders)", "standing by"))),
        Shown("Batches that are smaller than fits", (("min by (shift) (doorbuster_shift_batch_max)", "{{shift}}"),),
              about="Postgres was slow, or ended a batch; it grows back by itself"),
    )),
    ("Is there money for them?", (
        Shown("Operations at the provider", (("max by (state) (doorbuster_payment_operations)", "{{state}}"),),
              about="failed: PromiseBroken"),
        Shown("The provider is left alone", (("max by (why) (doorbuster_payments_paused)", "{{why}}"),),
              about="PaymentsFailing"),
        Shown("Payments a second that it takes", (("max by (shift) (doorbuster_payments_per_second)", "{{shift}}"),),
              "ops"),
    )),
    ("Do the promises hold?", (
        Shown("Waits for a person", (("max by (kind) (doorbuster_dead_letters)", "{{kind}}"),), about="PromiseBroken",
              now=True),
        Shown("Ledgers that do not balance", (("max(doorbuster_ledger_breaches)", "products"),), about="PromiseBroken",
              now=True),
        Shown("What the order store lost", (("max by (what) (doorbuster_order_store_losses)", "{{what}}"),), now=True,
              about="Orders that neither store has, and losses of which nobody knows what they took: PromiseBroken"),
        Shown("What the last audit found", (("max by (promise) (doorbuster_audit_breaches)", "{{promise}}"),),
              now=True),
        Shown("Age of the last audit", (("min(doorbuster_audit_age_seconds)", "age"),), "s", now=True),
        Shown("Pre-warm: checks that say no-go", (("max by (sale) (doorbuster_prewarm_no_go)", "{{sale}}"),), now=True,
              about="PrewarmNoGo"),
    )),
    ("Do others hear of it?", (
        Shown("Webhooks by state", (("max by (state) (doorbuster_webhooks)", "{{state}}"),), about="TellingLate"),
        Shown("Age of the event that a webhook gets next",
              (("max by (webhook) (doorbuster_webhook_oldest_seconds)", "{{webhook}}"),), "s"),
        Shown("Deliveries given up", (("max by (webhook) (doorbuster_webhook_dead_letters)", "{{webhook}}"),)),
        Shown("What the scheduler cannot work with", (("max by (part) (doorbuster_scheduler_failures)", "{{part}}"),)),
    )),
    ("What do shoppers read?", (
        Shown("Reads a second by where they were answered",
              ((rate("doorbuster_catalogue_reads_total", "what, where"), "{{what}} {{where}}"),), "reqps"),
        Shown("Reads a second by server", ((rate("doorbuster_database_reads_total", "server"), "{{server}}"),),
              "reqps"),
        Shown("Replicas", (("min by (server) (doorbuster_replica_usable)", "{{server}} usable"),
                           ("max by (server) (doorbuster_replica_lag_seconds)", "{{server}} lag, s")),
              about="PostgresDegraded"),
    )),
    ("What does it cost?", (
        Shown("Connections busy in the intake, by purpose",
              ((rate("doorbuster_connection_held_seconds_sum", "purpose"), "{{purpose}}"),),
              about="Seconds held a second. Its buckets have requests as exemplars"),
        Shown("Connections busy in transactions of shifts",
              ((rate("doorbuster_shift_transaction_seconds_total", "shift"), "{{shift}}"),)),
        Shown("Time of a transaction", (
            ("sum by (shift) (rate(doorbuster_shift_transaction_seconds_total[$__rate_interval])) / "
             "sum by (shift) (rate(doorbuster_shift_transactions_total[$__rate_interval]))", "{{shift}}"),), "s"),
        Shown("Orders in a batch of the intake", (
            (quantile(0.5, "doorbuster_accept_batch_orders"), "half"),
            (quantile(0.99, "doorbuster_accept_batch_orders"), "p99"))),
        Shown("Bytes that wait", ((f"max by (sale) (doorbuster_backlog_bytes{{{SALE}}})", "{{sale}}"),), "bytes"),
        Shown("Orders on the fast path", ((rate("doorbuster_orders_by_path_total", "path"), "{{path}}"),
                                          ("sum(doorbuster_http_protocol_fallbacks)", "fallbacks")), "short",
              "At the peak nearly all should be fast; fallbacks must be 0"),
    )),
)  # fmt: skip


def _query(name: str, expression: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(SOURCE).ref_id(name).expr(expression).legend_format(legend)


def _panel(number: int, shown: Shown, width: int) -> timeseries.Panel | stat.Panel:
    panel = stat.Panel() if shown.now else timeseries.Panel()
    panel.id(number).title(shown.title).description(shown.about).unit(shown.unit).datasource(SOURCE).span(width).height(
        7
    )
    for name, (expression, legend) in zip("ABC", shown.series, strict=False):
        panel.with_target(_query(name, expression, legend))
    if isinstance(panel, timeseries.Panel):
        legend_of = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(True)
        panel.legend(legend_of.placement(LegendPlacement.BOTTOM))
    return panel


def build() -> str:
    """Return the dashboard as Grafana imports it."""
    made = (
        dashboard.Dashboard("Doorbuster: the night of the sale")
        .uid("doorbuster-night")
        .tags(["doorbuster"])
        .refresh("10s")
        .time("now-1h", "now")
        .with_variable(dashboard.DatasourceVariable("source").type("prometheus").label("Prometheus"))
        .with_variable(
            dashboard.QueryVariable("sale")
            .label("Sale")
            .query("label_values(doorbuster_backlog_orders, sale)")
            .datasource(SOURCE)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
        )
    )
    numbers = count(1)
    for title, panels in ROWS:
        made.with_row(dashboard.Row(title).id(next(numbers)))
        for shown in panels:
            made.with_panel(_panel(next(numbers), shown, WIDTH // min(len(panels), 4)))
    text: str = JSONEncoder(sort_keys=True, indent=2).encode(made.build())
    return text + "\n"


if __name__ == "__main__":
    print(build(), end="")
