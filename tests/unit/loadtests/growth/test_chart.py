"""The chart is SVG that a browser draws: bars stand on each other, on one scale, within the picture."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from loadtests.growth.chart import HEIGHT, Bar, Panel, draw, short

SVG = "{http://www.w3.org/2000/svg}"


def bars_of(picture: str) -> list[list[dict[str, float]]]:
    """Return the bars of each panel: their places and heights, background and legend left out."""
    root = ET.fromstring(picture)
    named = ("x", "y", "height")
    return [
        [{name: float(bar.attrib[name]) for name in named} for bar in panel.iter(f"{SVG}rect")]
        for panel in root.iter(f"{SVG}g")
        if "transform" in panel.attrib
    ]


def test_bars_stand_on_each_other_on_one_scale() -> None:
    small, tall = Bar("1", {"a": 50.0, "b": 50.0}), Bar("2", {"a": 100.0, "b": 100.0})
    first, second = bars_of(draw([Panel("one <1>", [small]), Panel("two", [tall])], ("a", "b")))
    assert first[0]["y"] == pytest.approx(first[1]["y"] + first[1]["height"])
    assert second[0]["height"] == pytest.approx(2 * first[0]["height"], abs=0.2)
    assert sum(bar["height"] for bar in second) <= HEIGHT
    assert "one &lt;1&gt;" in draw([Panel("one <1>", [small])], ("a", "b"))


def test_noise_below_nothing_is_drawn_as_nothing() -> None:
    (only,) = bars_of(draw([Panel("one", [Bar("1", {"a": -3.0, "b": 7.0})])], ("a", "b")))
    assert only[0]["height"] == 0.0
    assert all(bar["height"] >= 0 for bar in only)


@pytest.mark.parametrize("most", [0.0, 0.4, 9.0, 50.0, 51.0, 163.0, 999.0, 40_000.0])
def test_any_height_fits(most: float) -> None:
    (only,) = bars_of(draw([Panel("one", [Bar("1", {"a": most})])], ("a",)))
    assert only[0]["height"] <= HEIGHT
    assert not most > 10 or only[0]["height"] >= HEIGHT / 3


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (20, "20"), (1_024, "1,024"), (10_000, "10k"), (10**7, "10M")])
def test_numbers_are_short(value: int, text: str) -> None:
    assert short(value) == text
