"""What a Prometheus makes of Doorbuster: the alerts' rules, their nights, the page of metrics, the dashboard."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from intake.database import PURPOSES
from tests.fixtures.intake import Intake
from tests.fixtures.promtool import promtool

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy/grafana/doorbuster.json"
RULES, NIGHTS = ROOT / "deploy/prometheus/alerts.yml", ROOT / "deploy/prometheus/alerts_test.yml"


def test_each_alert_fires_in_its_fault_alone_and_none_in_an_ordinary_night() -> None:
    done = promtool("test", "rules", str(NIGHTS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_nights_can_fail(tmp_path: Path) -> None:
    (tmp_path / "alerts.yml").write_text(RULES.read_text().replace("for: 30s", "for: 15s"))
    (tmp_path / NIGHTS.name).write_text(NIGHTS.read_text())
    assert promtool("test", "rules", str(tmp_path / NIGHTS.name)).returncode == 1


def shown(dashboard: str) -> list[str]:
    """Return the expressions of a dashboard, as Grafana would ask them of all sales."""
    asked = [target["expr"] for panel in json.loads(dashboard)["panels"] for target in panel.get("targets", ())]
    return [expression.replace("$__rate_interval", "1m").replace("$sale", ".*") for expression in asked]


def test_the_dashboard_is_the_one_that_is_made() -> None:
    made = subprocess.run(
        [sys.executable, DASHBOARD.with_name("dashboard.py")], capture_output=True, text=True, check=True
    )
    assert DASHBOARD.read_text() == made.stdout, "run `make dashboard`"
    panels = [panel for panel in json.loads(made.stdout)["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 30
    for panel in panels:
        names = [target["refId"] for target in panel["targets"]]
        assert len(set(names)) == len(names) > 0


def test_each_expression_of_the_dashboard_is_one(tmp_path: Path) -> None:
    expressions = shown(DASHBOARD.read_text())
    rules = [{"record": f"shown:{number}", "expr": text} for number, text in enumerate(expressions)]
    (tmp_path / "shown.yml").write_text(json.dumps({"groups": [{"name": "shown", "rules": rules}]}))
    done = promtool("check", "rules", str(tmp_path / "shown.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(expressions)} rules found" in done.stdout


def test_each_metric_of_dashboard_and_rules_is_a_known_one_and_none_is_left_out() -> None:
    def names(text: str) -> set[str]:
        return {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in re.findall(r"doorbuster_\w+", text)}

    known = names((ROOT / "docs/watching.md").read_text())
    assert names(RULES.read_text()) <= known
    assert names(" ".join(shown(DASHBOARD.read_text()))) == known


async def test_what_a_connection_was_held_for_names_a_request(intake: Intake) -> None:
    await intake.open_sale()
    (await intake.http.get("/sales/sale", headers={"X-Request-Id": "shop-7"})).raise_for_status()
    answer = await intake.http.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    held = families["doorbuster_connection_held_seconds"].samples
    assert {sample.labels["purpose"] for sample in held} == set(PURPOSES)
    named = {sample.exemplar.labels["request_id"] for sample in held if sample.exemplar}
    assert "shop-7" in named
    assert "doorbuster_store_up" in families


async def test_the_page_of_metrics_is_as_prometheus_wants_it(intake: Intake) -> None:
    await intake.open_sale()
    await intake.post("sale")
    page = (await intake.http.get("/metrics")).text
    done = promtool("check", "metrics", text=page)
    assert done.stdout + done.stderr == ""
