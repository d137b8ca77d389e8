"""Shows in the metrics where reads of the catalogue were answered. Owns nothing but what it told last.

The read path counts in plain integers; they are carried over here from time to time, and nothing is done a request.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Counter as Shown

    from catalogue.search.service import Search
    from catalogue.service import Catalogue
    from intake.monitoring.metrics import Metrics
    from intake.products.fast_read import FastProductRead

WHERE = ("process", "coalesced", "shared", "database")
SEARCHED = ("process", "coalesced", "backend")


class ReadFigures:
    """Carries the counts of one process over to its metrics."""

    def __init__(self, metrics: Metrics, catalogue: Catalogue, search: Search, fast_read: FastProductRead) -> None:
        self._metrics, self._catalogue, self._search, self._fast_read = metrics, catalogue, search, fast_read
        self._told: Counter[tuple[str, ...]] = Counter()
        replicas = catalogue.replicas
        self._servers = [server.name for server in (replicas.primary, *replicas.replicas)]

    def flush(self) -> None:
        """Tell what has been counted since the last time, and how the replicas are."""
        reader, replicas = self._catalogue.reader, self._catalogue.replicas
        for where in WHERE:
            fast = self._fast_read.answered if where == "process" else 0
            self._tell(self._metrics.catalogue_reads, reader.answered[where] + fast, "catalogue", where)
        searched = self._search.answered
        for where in SEARCHED:
            self._tell(self._metrics.catalogue_reads, searched[where], "search", where)
        for server in self._servers:
            self._tell(self._metrics.database_reads, replicas.reads[server], server)
        for replica in replicas.replicas:
            self._metrics.replica_usable.labels(replica.name).set(replica.usable)
            if (lag_s := replicas.lag_s(replica)) is not None:
                self._metrics.replica_lag.labels(replica.name).set(lag_s)

    def _tell(self, shown: Shown, count: int, *labels: str) -> None:
        # Also of nothing: what never happened is shown as nought and not left out.
        shown.labels(*labels).inc(count - self._told[labels])
        self._told[labels] = count
