"""How often one name may do something."""

from __future__ import annotations

import pytest

from intake.web import rate_limit
from intake.web.rate_limit import RateLimit


def test_a_limit_counts_by_name_and_earns_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(rate_limit.time, "monotonic", lambda: now[0])
    limit = RateLimit(2)
    assert [limit.wait_s("a"), limit.wait_s("a"), limit.wait_s("b")] == [0, 0, 0]
    assert limit.wait_s("a") == pytest.approx(30)
    now[0] += 30
    assert limit.wait_s("a") == 0
    assert limit.wait_s("a") > 0


def test_a_limit_of_nought_or_of_nobody_is_none() -> None:
    assert not any(RateLimit(0).wait_s("a") for _ in range(1000))
    limit = RateLimit(1)
    assert not any(limit.wait_s("") for _ in range(1000))


def test_a_limit_remembers_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MOST", 10)
    limit = RateLimit(1)
    for n in range(1000):
        limit.wait_s(str(n))
    assert len(limit) == 10


def test_a_name_of_several_homes_may_do_as_much_as_they(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit.time, "monotonic", lambda: 100.0)
    limit = RateLimit(2)
    assert [limit.wait_s("a", homes=4) for _ in range(8)] == [0] * 8
    assert limit.wait_s("a", homes=4) > 0


def test_asking_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit.time, "monotonic", lambda: 100.0)
    limit = RateLimit(1)
    assert [limit.wait_s("a", 0.0) for _ in range(5)] == [0] * 5
    assert limit.wait_s("a") == 0
    assert limit.wait_s("a", 0.0) > 0


def test_a_wrong_code_costs_more() -> None:
    limit = RateLimit(60)
    assert limit.wait_s("a", 100.0) == 0
    assert limit.wait_s("a") > 40
