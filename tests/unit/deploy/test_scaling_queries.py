"""What KEDA asks Prometheus: figures that the code has, and an answer that says how many workers have work."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fixtures import manifest_checks as check
from tests.fixtures.files import files_under
from tests.fixtures.kustomization import rendered
from tests.fixtures.promtool import promtool

ROOT = Path(__file__).parents[3]
_CRON = re.compile(r"\d+ \d+ (?:\*|\d+) (?:\*|\d+) (?:\*|[0-7])")
PARAMETERS = {
    "prometheus": {"serverAddress", "query", "threshold", "activationThreshold", "ignoreNullValues", "timeout"},
    "cron": {"timezone", "start", "end", "desiredReplicas"},
    "cpu": {"value"},
}
"""What KEDA reads of each trigger; its schema takes any text."""


@pytest.fixture(scope="module")
def scaled() -> dict[str, dict[str, Any]]:
    return {name: one["spec"] for name, one in check.named(rendered("overlays/production"), "ScaledObject").items()}


def trigger(spec: dict[str, Any], kind: str) -> dict[str, Any]:
    [found] = [one for one in spec["triggers"] if one["type"] == kind]
    return found


def query(scaled: dict[str, dict[str, Any]]) -> str:
    return str(trigger(scaled["workers"], "prometheus")["metadata"]["query"])


def figures() -> set[str]:
    texts = [path.read_text() for path in files_under(ROOT / "intake" / "monitoring", "*.py")]
    return {name for text in texts for name in re.findall(r'"(doorbuster_\w+)"', text)}


def test_every_trigger_is_told_what_keda_reads(scaled: dict[str, dict[str, Any]]) -> None:
    for spec in scaled.values():
        for one in spec["triggers"]:
            assert set(one["metadata"]) <= PARAMETERS[one["type"]], one
        window = trigger(spec, "cron")["metadata"]
        assert _CRON.fullmatch(window["start"])
        assert _CRON.fullmatch(window["end"])
        assert spec["minReplicaCount"] < int(window["desiredReplicas"]) <= spec["maxReplicaCount"]


def test_a_missing_figure_scales_nothing_down(scaled: dict[str, dict[str, Any]]) -> None:
    for spec in scaled.values():
        for one in spec["triggers"]:
            if one["type"] == "prometheus":
                assert one["metadata"]["ignoreNullValues"] == "false"
                assert one["metricType"] == "AverageValue"  # with the other KEDA does not fall back
                assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"


def test_every_figure_is_there(scaled: dict[str, dict[str, Any]]) -> None:
    asked = set(re.findall(r"doorbuster_\w+", query(scaled)))
    assert "doorbuster_backlog_orders" in asked
    assert asked <= figures()
    assert not {"doorbuster_backlog"} & figures()  # it would be found


def _rises(partitions: int, *, backlog: int, settle_s: float, up: int | None = 1) -> list[dict[str, str]]:
    series = [{"series": f'doorbuster_store_up{{store="orders_store",pod="{pod}"}}', "values": f"{up}x9"}
              for pod in "ab" if up is not None]  # fmt: skip
    for pod in "ab":  # every intake tells the same
        for number in range(partitions):
            place = f'sale="one",partition="{number}",pod="{pod}"'
            series.append({"series": f"doorbuster_backlog_orders{{{place}}}", "values": f"{backlog}x9"})
            late = f'doorbuster_oldest_seconds{{shift="settle",{place}}}'
            series.append({"series": late, "values": f"{settle_s}x9"})
    return series


def _asked(expression: str, series: list[dict[str, str]], expected: list[float]) -> dict[str, Any]:
    samples = [{"labels": "{}", "value": value} for value in expected]
    test = {"expr": expression, "eval_time": "5m", "exp_samples": samples}
    return {"interval": "1m", "input_series": series, "promql_expr_test": [test]}


def test_the_answer_is_how_many_workers_have_something_to_do(scaled: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """Two a partition at most and three for the rest, whatever waits; nothing where nothing is known."""
    file, asked = tmp_path / "queries.yml", query(scaled)
    told = [
        _asked(asked, _rises(0, backlog=0, settle_s=0), [3]),
        _asked(asked, _rises(4, backlog=3, settle_s=0.1), [3]),
        _asked(asked, _rises(4, backlog=90_000, settle_s=0.1), [7]),
        _asked(asked, _rises(4, backlog=90_000, settle_s=30), [11]),
        _asked(asked, _rises(1, backlog=1_000_000, settle_s=900), [5]),
        _asked(asked, _rises(4, backlog=90_000, settle_s=30, up=0), []),
        _asked(asked, _rises(0, backlog=0, settle_s=0, up=None), []),
    ]
    file.write_text(json.dumps({"evaluation_interval": "1m", "tests": told}))
    said = promtool("test", "rules", str(file))
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_query_that_counts_orders_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "queries.yml"
    told = _asked("sum(doorbuster_backlog_orders)", _rises(4, backlog=90_000, settle_s=30), [11])
    file.write_text(json.dumps({"evaluation_interval": "1m", "tests": [told]}))
    assert promtool("test", "rules", str(file)).returncode == 1


def test_as_many_as_the_largest_sale_can_use_are_the_most(scaled: dict[str, dict[str, Any]]) -> None:
    """Two a partition of four, and three: the file says so where it is set."""
    assert scaled["workers"]["maxReplicaCount"] == 2 * 4 + 3
    text = (ROOT / "deploy" / "kubernetes" / "components" / "keda" / "workers.yaml").read_text()
    assert "two a partition of the largest sale, and three" in re.sub(r"\n# ", " ", text)
    assert yaml.safe_load(text)["spec"]["triggers"][0]["metadata"]["threshold"] == "1"
