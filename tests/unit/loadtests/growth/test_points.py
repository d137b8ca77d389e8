"""What is measured at each point: one thing differs, and the orders say what the point says."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from doorbuster.contract.orders import OrderRequest
from intake.server.asgi import BODY_MAX
from loadtests.growth.axes import CARRIED_MAX, PLAIN, QUICK, TITLES, Extent, Point, orders_of, stages
from loadtests.growth.point import ROLES, Turn, bodies
from loadtests.growth.run import Found, Report, before, panel, told


def test_a_point_differs_from_the_first_in_one_thing() -> None:
    extent = Extent()
    first, *others = stages(extent)
    usual = msgspec.structs.asdict(Point(axis="kept", kept=extent.kept[0]))
    for point in [*first, *(one for stage in others for one in stage)]:
        other = {name for name, value in msgspec.structs.asdict(point).items() if value != usual[name]} - {"axis"}
        assert other <= {point.axis}
    assert [point.value for point in first if point.axis == "lines"] == [1, 2, 5, 10, 20]
    assert {point.axis for point in first} == set(TITLES)
    assert [[(point.axis, point.value) for point in stage] for stage in others] == [
        [("kept", 100_000)],
        [("kept", 1_000_000)],
        [("products", 100_000)],
    ]


def test_some_axes_alone_are_the_same_points() -> None:
    extent = Extent()
    all_of_them = [point for stage in stages(extent) for point in stage]
    in_parts = [point for axis in PLAIN for stage in stages(extent, [axis]) for point in stage]
    assert sorted(map(repr, in_parts)) == sorted(map(repr, all_of_them))
    assert [point.axis for stage in stages(extent, ["lines"]) for point in stage] == ["lines"] * 5


def test_a_part_takes_the_place_of_what_the_file_had_of_it(tmp_path: Path) -> None:
    turns = [Turn(10, dict.fromkeys(ROLES, 2.0), 1.0)]
    points = [told(Found(axis, 1, Point(axis=axis), turns)) for axis in ("lines", "limits")]
    (tmp_path / "growth.json").write_bytes(msgspec.json.encode(Report({}, points)))
    assert before(tmp_path / "growth.json", ["lines"]) == [points[1]]
    assert before(tmp_path / "growth.json", PLAIN) == []
    assert before(tmp_path / "none.json", ["lines"]) == []


@pytest.mark.parametrize("extent", [Extent(), QUICK], ids=["whole", "quick"])
def test_every_order_is_one_that_the_intake_takes(extent: Extent) -> None:
    for stage in stages(extent):
        for point in stage:
            assert orders_of(extent, point) * point.metadata <= CARRIED_MAX
            sent = bodies(point, "sale", 20)
            assert len(set(sent)) == 20
            for body in sent:
                assert len(body) <= BODY_MAX
                order = msgspec.json.decode(body, type=OrderRequest)
                assert len({line.product_id for line in order.lines}) == min(point.lines, point.products)
                assert (order.identities is not None) is bool(point.limits)
                assert (
                    len(json.dumps(order.metadata, separators=(",", ":")) if order.metadata else "") == point.metadata
                )


def test_the_median_turn_stands_for_a_point() -> None:
    turns = [Turn(10, dict.fromkeys(ROLES, float(us)), 1.0) for us in (9, 1, 5)]
    found = Found("lines", 20, Point(axis="lines", lines=20), turns)
    assert found.us == turns[2].us
    assert told(found).total_us == 25.0
    assert panel("lines", [told(found)]).bars[0].label == "20"
    assert panel("kept", [told(found)]).bars == []
