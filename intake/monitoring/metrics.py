"""What the intake counts. Owns the metrics' names; accepted orders are counted a batch at a time, never one by one."""

from __future__ import annotations

import logging
import os
from collections import Counter as Tally
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_of

from doorbuster.log import current_request_id
from intake.accepting import verdicts
from intake.database import PURPOSES
from intake.monitoring.exemplars import Exemplars
from intake.monitoring.shared_figures import SharedFigures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from intake.database import Purpose
    from intake.monitoring.progress import Seen
    from intake.monitoring.watched import SalesNow, Watched

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_VERDICTS = {
    verdicts.NEW[0]: "accepted",
    verdicts.REPLAY[0]: "replayed",
    verdicts.CONFLICT[0]: "conflict",
    verdicts.SOLD_OUT[0]: "sold_out",
    verdicts.BACKLOG[0]: "backlog",
    verdicts.NO_GATE[0]: "no_gate",
    verdicts.EARLY[0]: "not_open",
    verdicts.LATE[0]: "not_open",
    verdicts.HOLD[0]: "not_open",
    verdicts.CLOSED[0]: "not_open",
    verdicts.SPENT[0]: "admission_spent",
    verdicts.REVOKED[0]: "admission_revoked",
    verdicts.EXPIRED[0]: "admission_expired",
    verdicts.UNKNOWN[0]: "unknown",
}
HELD_LONG_S = 1.0
"""A connection that is held for so long is worth a line in the log."""
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 2.0, 4.0)

log = logging.getLogger("doorbuster.intake.metrics")


class Metrics:
    """Counters of one process, gathered from all of them when they are shown."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._shared = SharedFigures()
        self.verdicts = Counter(
            "doorbuster_orders", "Orders by verdict of the accept script", ["verdict"], registry=self._registry
        )
        self.orders_by_path = Counter(
            "doorbuster_orders_by_path", "Posts of orders by the path they took, told once a second", ["path"],
            registry=self._registry,
        )  # fmt: skip
        self.refusals = Counter("doorbuster_refusals", "Problems answered, by code", ["code"], registry=self._registry)
        self.shed = Counter(
            "doorbuster_shed", "Requests refused for overload, by what they were for", ["what"],
            registry=self._registry,
        )  # fmt: skip
        self.loop_lag = Gauge(
            "doorbuster_loop_lag_seconds", "How late the event loop runs, the median of half a second",
            registry=self._registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self.sizes = Histogram(
            "doorbuster_accept_batch_orders", "Orders in a batch", buckets=_BATCH_SIZES, registry=self._registry
        )
        self.seconds = Histogram(
            "doorbuster_accept_batch_seconds", "Time of a batch's call", buckets=_SECONDS, registry=self._registry
        )
        self.in_flight = self._gauge("doorbuster_in_flight", "Requests in work")
        self.waiting = self._gauge("doorbuster_waiting", "Requests that wait for an order to change")
        self.event_streams = self._gauge("doorbuster_event_streams", "Open streams of an order's events")
        self.protocol_fallbacks = self._gauge(
            "doorbuster_http_protocol_fallbacks", "Processes that serve by uvicorn's own HTTP protocol"
        )
        self.catalogue_reads = Counter(
            "doorbuster_catalogue_reads", "Reads of products and listings, and searches, by where they were answered",
            ["what", "where"], registry=self._registry,
        )  # fmt: skip
        self.database_reads = Counter(
            "doorbuster_database_reads", "Reads of the catalogue and of search, by server", ["server"],
            registry=self._registry,
        )  # fmt: skip
        self.replica_usable = Gauge(
            "doorbuster_replica_usable", "1 while every process reads from the replica", ["server"],
            registry=self._registry, multiprocess_mode="livemin",
        )  # fmt: skip
        self.replica_lag = Gauge(
            "doorbuster_replica_lag_seconds", "How far the replica was behind at the last look", ["server"],
            registry=self._registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self._held = Histogram(
            "doorbuster_connection_held_seconds", "How long a connection to Postgres was held, by purpose", ["purpose"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._exemplars = Exemplars("doorbuster_connection_held_seconds", "purpose", _SECONDS)
        self._held_for = {purpose: self._held.labels(purpose) for purpose in PURPOSES}
        self._by_verdict = {first: self.verdicts.labels(name) for first, name in _VERDICTS.items()}

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self._registry, multiprocess_mode="livesum")

    def progress(self, seen: Seen | None) -> None:
        """Show how late each stage is, and what bounds it; None: nobody knows."""
        self._shared.seen = seen

    def sales(self, now: SalesNow) -> None:
        """Show what sales have waiting."""
        self._shared.sales = now

    def watched(self, watched: Watched) -> None:
        """Show what was seen of stores, processes and promises."""
        self._shared.watched = watched

    def batch(self, decided: list[bytes], seconds: float) -> None:
        """Count a batch of the accept script."""
        self.sizes.observe(len(decided))
        self.seconds.observe(seconds)
        for first, times in Tally([verdict[0] for verdict in decided]).items():
            self._by_verdict[first].inc(times)

    def held(self, purpose: Purpose, seconds: float) -> None:
        """Count a connection to Postgres that was held; the request that it was for stands beside it as an exemplar."""
        request_id = current_request_id()
        self._held_for[purpose].observe(seconds)
        if request_id:
            self._exemplars.note(purpose, seconds, request_id)
        if seconds >= HELD_LONG_S:
            log.info(
                "a connection to Postgres was held for long", extra={"purpose": purpose, "held_s": round(seconds, 3)}
            )

    def refused(self, code: str, times: int = 1) -> None:
        """Count problems."""
        self.refusals.labels(code).inc(times)

    def gauge_in_flight(
        self, in_flight: Callable[[], float], waiting: Callable[[], float], streams: Callable[[], float]
    ) -> None:
        """Read these three at each look; with several processes `tick` writes them instead."""
        if not _several():
            self.in_flight.set_function(in_flight)
            self.waiting.set_function(waiting)
            self.event_streams.set_function(streams)

    def tick(self, in_flight: int, waiting: int, streams: int) -> None:
        """Write the gauges that other processes are to see."""
        if _several():
            self.in_flight.set(in_flight)
            self.waiting.set(waiting)
            self.event_streams.set(streams)

    def show(self, *, openmetrics: bool = False) -> bytes:
        """Return all metrics of all processes as text; as OpenMetrics with exemplars, of the process asked."""
        if openmetrics:
            shown: bytes = openmetrics_of(self)  # type: ignore[no-untyped-call]
            return shown
        return generate_latest(self._gathered()) + generate_latest(self._shared)

    def collect(self) -> Iterator[Metric]:
        """Give all metrics of all processes, as registries do."""
        return self.families()

    def families(self) -> Iterator[Metric]:
        """Give all metrics of all processes as they are shown."""
        yield from map(self._exemplars.beside, self._gathered().collect())
        yield from self._shared.collect()

    def _gathered(self) -> CollectorRegistry:
        if not _several():
            return self._registry
        gathered = CollectorRegistry()
        multiprocess.MultiProcessCollector(gathered)  # type: ignore[no-untyped-call]
        return gathered


def _several() -> bool:
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ
