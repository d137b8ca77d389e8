"""What the demo reads from the sale's own report."""

from __future__ import annotations

from loadtests.check.reported import alerts


def test_of_the_incidents_only_alerts_fired() -> None:
    told = [{"kind": "restart", "what": "worker was started"}, {"kind": "alert", "what": "DrainLate (page): late"}]
    assert alerts({"incidents": told}) == ["DrainLate (page): late"]
    assert alerts({"incidents": told[:1]}) == []
