"""Prometheus' rules are those of the table; each alert has its section in the runbook and its line in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from intake.monitoring.alerts.rules import rules
from intake.monitoring.alerts.table import ALERTS, Alert
from tests.fixtures.runbook import steps_of

ROOT = Path(__file__).parents[4]
by_name = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def test_the_rules_are_those_of_the_table() -> None:
    assert (ROOT / "deploy/prometheus/alerts.yml").read_text() == rules(), "run `make alerts`"


@by_name
def test_an_alert_has_its_section_in_the_runbook(alert: Alert) -> None:
    file, _, anchor = alert.runbook.partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert [heading for heading in headings if heading.lower() == anchor] == [alert.name]
    assert steps_of(alert.name), "the section says nothing to look at"


@by_name
def test_an_alert_has_its_line_in_the_docs_with_its_time_and_severity(alert: Alert) -> None:
    (row,) = re.findall(rf"^\| \[`{alert.name}`\].*$", (ROOT / "docs/watching.md").read_text(), re.MULTILINE)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:3] == [alert.severity, f"{alert.for_s} s" if alert.for_s else "at once"]


@by_name
def test_what_silences_an_alert_is_an_alert(alert: Alert) -> None:
    assert set(alert.unless) <= {one.name for one in ALERTS} - {alert.name}
