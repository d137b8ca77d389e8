"""What a Prometheus makes of Doorbuster: the alerts' rules, their nights, the page of metrics, the dashboard."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.intake import Intake
from tests.fixtures.promtool import promtool

ROOT = Path(__file__).parents[2]
RULES, NIGHTS = ROOT / "deploy/prometheus/alerts.yml", ROOT / "deploy/prometheus/alerts_test.yml"


def test_each_alert_fires_in_its_fault_alone_and_none_in_an_ordinary_night() -> None:
    done = promtool("test", "rules", str(NIGHTS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_nights_can_fail(tmp_path: Path) -> None:
    (tmp_path / "alerts.yml").write_text(RULES.read_text().replace("for: 30s", "for: 15s"))
    (tmp_path / NIGHTS.name).write_text(NIGHTS.read_text())
    assert promtool("test", "rules", str(tmp_path / NIGHTS.name)).returncode == 1


async def test_the_page_of_metrics_is_as_prometheus_wants_it(intake: Intake) -> None:
    await intake.open_sale()
    await intake.post("sale")
    page = (await intake.http.get("/metrics")).text
    done = promtool("check", "metrics", text=page)
    assert done.stdout + done.stderr == ""
