"""The registry of shifts: RQ finds every kind by the path that jobs at a deploy have, and names go both ways."""

from __future__ import annotations

import inspect

import pytest
from rq.utils import import_attribute

from workers import jobs, shifts


@pytest.mark.parametrize(
    "kind", ["drain", "settle", "relay", "sweep", "money", "catalogue", "fan_out", "webhooks", "standby", "rehearsals"]
)
def test_a_job_of_before_is_found_by_its_path(kind: str) -> None:
    assert inspect.isfunction(import_attribute(f"workers.jobs.{kind}"))


def test_every_kind_has_a_path_and_a_name_of_its_own() -> None:
    names = [kind.name for kind in shifts.SHIFTS]
    assert len(set(names)) == len(names)
    for name in names:
        assert inspect.isfunction(import_attribute(f"workers.jobs.{name}"))


def test_a_kind_that_is_none_is_no_path() -> None:
    with pytest.raises(AttributeError, match="there is no kind of shift 'mow'"):
        _ = jobs.mow


def test_a_shift_is_named_by_its_kind_and_numbers() -> None:
    assert shifts.shift_name("drain", (7, 0)) == "drain:7:0"
    assert shifts.shift_name("relay", shifts.ALONE) == "relay"
