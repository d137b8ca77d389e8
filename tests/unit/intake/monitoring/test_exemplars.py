"""Several processes share their counts by files; which request a figure was for is shown all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

SEVERAL = """
import contextvars, os, sys
from doorbuster import log
from intake.monitoring import metrics
made = metrics.Metrics()
metrics.current_request_id = lambda: "shop-7"
made.held("sales", 0.003)
metrics.current_request_id = lambda: None
made.held("sales", 9.0)
if os.fork() == 0:
    made.held("sales", 0.003)
    os._exit(0)
os.wait()
sys.stdout.buffer.write(made.show(openmetrics=True))
"""


def test_an_exemplar_stands_beside_the_sum_of_several_processes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL], env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}, capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    families = {family.name: family for family in text_string_to_metric_families(done.stdout)}
    held = [one for one in families["doorbuster_connection_held_seconds"].samples if one.labels["purpose"] == "sales"]
    buckets = {one.labels["le"]: one for one in held if one.name.endswith("_bucket")}
    assert buckets["0.004"].value == 2, "of both processes"
    exemplar = buckets["0.004"].exemplar
    assert exemplar
    assert (exemplar.labels, exemplar.value) == ({"request_id": "shop-7"}, 0.003)
    assert [le for le, one in buckets.items() if one.exemplar] == ["0.004"]
