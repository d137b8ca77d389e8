"""Processes are counted against the wish; their keys and clocks are compared."""

from __future__ import annotations

from typing import Any

from db.prewarm.scaling import Scaling
from doorbuster.values.prewarm import Scale
from readiness.audited import LastAudit
from readiness.fleet_checks import (
    IntakeSign,
    audit_check,
    keys_check,
    processes_check,
    scaling_check,
    webhooks_check,
    worst_ahead_s,
)

ALL = {"intake": 4, "workers": 8, "schedulers": 1}


def sign(*keys: str, ahead_s: float | None = 0.0) -> IntakeSign:
    return IntakeSign(name="a", began_s=0, seen_s=0, ahead_s=ahead_s, keys=keys)


def test_one_process_of_each_role_is_the_least() -> None:
    assert processes_check(ALL, None)["ok"]
    said = processes_check({"intake": 1, "workers": 0}, None)
    assert (said["ok"], said["reason"]) == (False, "too few processes: 0 of 1 workers, 0 of 1 schedulers")


def test_as_many_as_wanted_are_the_least() -> None:
    assert processes_check(ALL, Scale(intake=4, workers=8))["ok"]
    assert processes_check(ALL, Scale(intake=2))["ok"]
    assert processes_check(ALL, Scale(workers=9))["reason"] == "too few processes: 8 of 9 workers"


def test_scaling_that_fails_is_told() -> None:
    assert scaling_check(None, Scaling(adapter="none"))["ok"]
    assert scaling_check(Scale(workers=9), Scaling(adapter="none"))["notes"]
    said = scaling_check(Scale(workers=9), Scaling(adapter="aws", failures=3, error="AccessDenied"))
    assert (said["ok"], said["reason"]) == (False, "aws: AccessDenied (tried 3 times)")


def ok(said: dict[str, Any]) -> bool:
    return bool(said["ok"])


def test_keys_are_the_same_everywhere_and_no_rotation_is_half_done() -> None:
    assert ok(keys_check([sign("k6a000001", "k69000000"), sign("k6a000001", "k69000000")]))
    assert not ok(keys_check([]))
    assert "sign with different keys" in keys_check([sign("a", "b"), sign("b", "a")])["reason"]
    assert "know different keys" in keys_check([sign("a", "b"), sign("a")])["reason"]
    assert "k6a000001 does not sign yet" in keys_check([sign("k69000000", "k6a000001")])["reason"]
    assert ok(keys_check([sign("main", "k6a000001")])) is False
    assert ok(keys_check([sign("main", "former")]))


def test_the_worst_clock_of_the_intakes_counts() -> None:
    assert worst_ahead_s([sign("a", ahead_s=0.2), sign("a", ahead_s=-1.5)], 0.3) == -1.2
    assert worst_ahead_s([sign("a", ahead_s=None)], 0.3) is None
    assert worst_ahead_s([sign("a")], None) is None


def test_webhooks_that_get_nothing_are_named() -> None:
    assert ok(webhooks_check([]))
    assert webhooks_check([(3, "paused"), (5, "disabled")])["reason"] == (
        "webhooks that get nothing: 3 is paused, 5 is disabled"
    )


def test_the_last_audit_found_no_breach() -> None:
    assert audit_check(None) == {"ok": True, "notes": ["no audit was made yet"]}
    assert audit_check(LastAudit({"P1": 0, "P4": 0}, 71.6)) == {"ok": True, "last_in_s": -72, "breaches": 0}
    said = audit_check(LastAudit({"P1": 0, "P4": 3, "P12": 1}, 7_200.2))
    assert said["reason"] == "the last audit, 7,200 s ago, found broken: P12 1 times, P4 3 times"
    assert (said["ok"], said["breaches"]) == (False, 4)
