"""Which request a figure was for, where several processes share their counts by files that hold numbers alone.

Owns the newest request of each bucket in this process: whichever process is asked for metrics shows its own beside the
sums of all, for an exemplar is an example.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import TYPE_CHECKING

from prometheus_client.core import Exemplar, Metric
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Sequence


class Exemplars:
    """The exemplars of a histogram with one label."""

    def __init__(self, name: str, label: str, bounds: Sequence[float]) -> None:
        """Take the histogram's name, its label and the upper bounds of its buckets."""
        self._name, self._label, self._bounds = name, label, bounds
        self._named = [*map(floatToGoString, bounds), "+Inf"]
        self._newest: dict[tuple[str, str], Exemplar] = {}

    def note(self, value: str, figure: float, request_id: str) -> None:
        """Keep which request the newest figure of this label's value in its bucket was for."""
        bucket = self._named[bisect_left(self._bounds, figure)]
        self._newest[value, bucket] = Exemplar({"request_id": request_id}, figure, time.time())

    def beside(self, family: Metric) -> Metric:
        """Return a family of metrics, with exemplars if it is this histogram."""
        if family.name != self._name:
            return family
        shown = Metric(family.name, family.documentation, family.type, family.unit)
        for sample in family.samples:
            found = self._newest.get((sample.labels.get(self._label, ""), sample.labels.get("le", "")))
            shown.samples.append(sample if found is None else sample._replace(exemplar=found))
        return shown
