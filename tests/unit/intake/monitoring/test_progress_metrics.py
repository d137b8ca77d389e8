"""How late the stages are, as metrics: what is over is no longer shown, with one process and with several."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOOKS = """
from db.progress import LimitedShift
from intake.monitoring.metrics import Metrics
from intake.monitoring.progress import Seen, Stage
from intake.monitoring.watched import SalesNow

metrics = Metrics()
metrics.progress(Seen([Stage("settle", 7.0, "old", "0")], [LimitedShift("settle:1:0", 125, 250.0)]))
before = metrics.show().decode()
metrics.progress(Seen([Stage("settle", 1.0, "new", "0")], []))
after = metrics.show().decode()
for name in ('shift_batch_max{shift="settle:1:0"} 125.0', 'payments_per_second{shift="settle:1:0"} 250.0',
             'oldest_seconds{partition="0",sale="old",shift="settle"} 7.0'):
    print("doorbuster_" + name in before, "doorbuster_" + name.partition("}")[0] in after)
print('doorbuster_oldest_seconds{partition="0",sale="new",shift="settle"} 1.0' in after)
metrics.sales(SalesNow(backlog={("old", "0"): (7, 700)}, failures={"gates": 3}))
before = metrics.show().decode()
metrics.sales(SalesNow(backlog={("new", "0"): (1, 100)}))
after = metrics.show().decode()
for name in ('backlog_orders{partition="0",sale="old"} 7.0', 'backlog_bytes{partition="0",sale="old"} 700.0',
             'scheduler_failures{part="gates"} 3.0'):
    print("doorbuster_" + name in before, "doorbuster_" + name.partition("}")[0] in after)
print('doorbuster_backlog_orders{partition="0",sale="new"} 1.0' in after)
"""


@pytest.mark.parametrize("several", [False, True], ids=["one process", "several"])
def test_what_is_over_is_no_longer_shown(tmp_path: Path, several: bool) -> None:
    env = os.environ | ({"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)} if several else {})
    shown = subprocess.run([sys.executable, "-c", LOOKS], env=env, capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == ["True False", "True False", "True False", "True"] * 2
