"""The table as Prometheus' rules: `python -m intake.monitoring.alerts.rules` prints `deploy/prometheus/alerts.yml`.

Owns how a rule is written. YAML is written as it stands: of what comes here nothing needs more than a quoted string.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from intake.monitoring.alerts.table import ALERTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from intake.monitoring.alerts.conditions import Condition
    from intake.monitoring.alerts.table import Alert

HEAD = """\
# Made from the table in intake/monitoring/alerts/table.py by `make alerts`; change it there. Tested by alerts_test.yml.
groups:
  - name: doorbuster
    rules:
"""
_FIGURE = '{{ if ne $value 0.0 }}: {{ printf "%.4g" $value }}{{ end }}'


def rules(alerts: Iterable[Alert] = ALERTS) -> str:
    """Return the file of rules."""
    return HEAD + "".join(map(_rule, alerts))


def expression(alert: Alert) -> str:
    """Return the whole expression of an alert: each condition with its reason, but for what follows from others."""
    by_name = {one.name: one for one in ALERTS}
    holds = "\nor\n".join(_with_reason(condition) for condition in alert.conditions)
    causes = " or ".join(condition.promql() for name in alert.unless for condition in by_name[name].conditions)
    return f"({holds})\nunless on () ({causes})" if causes else holds


def _with_reason(condition: Condition) -> str:
    return f'label_replace({condition.promql()}, "reason", {json.dumps(condition.why)}, "", "")'


def _rule(alert: Alert) -> str:
    lines = "".join(f"          {line}\n" for line in expression(alert).splitlines())
    named = "".join(f"{{{{ with $labels.{label} }}}}, {label} {{{{ . }}}}{{{{ end }}}}" for label in _labels(alert))
    summary = f"{alert.what}: {{{{ $labels.reason }}}}{_FIGURE}{named}"
    return (
        f"      - alert: {alert.name}\n        expr: |\n{lines}        for: {alert.for_s}s\n"
        f"        labels: {{severity: {alert.severity}}}\n        annotations:\n"
        f"          summary: {_quoted(summary)}\n          runbook: {_quoted(alert.runbook)}\n"
    )


def _labels(alert: Alert) -> list[str]:
    return sorted({label for condition in alert.conditions for label in condition.by})


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


if __name__ == "__main__":
    print(rules(), end="")
