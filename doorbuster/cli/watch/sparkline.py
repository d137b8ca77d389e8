"""A row of figures as a line of bars, newest at the right. Pure; a moment without a figure is a gap, never nought."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.:-=+*#"
SPANS_S = (60, 300, 900)
LEAST_S = 2.0
"""A sign stands for so long at least: there is a figure a second, a little more or less."""

Dated = tuple[float, float | None]
"""Unix seconds, and what was so then."""


def span_of(figures: Sequence[Dated], now_s: float) -> int:
    """Return over how many seconds a line is drawn: as few as show all that is known."""
    oldest = now_s - figures[0][0] if figures else 0.0
    return next((span for span in SPANS_S if oldest <= span), SPANS_S[-1])


def sparkline(figures: Sequence[Dated], now_s: float, width: int, *, span_s: float = 900, signs: str = BLOCKS) -> str:
    """Return a line over the last seconds; each sign shows the most of its time, from nought to the most of all."""
    width = min(width, int(span_s / LEAST_S))
    columns: list[float | None] = [None] * width
    each_s = span_s / width if width else 1.0
    for at_s, figure in figures:
        place = width - 1 - int((now_s - at_s) / each_s)
        if figure is not None and 0 <= place < width:
            was = columns[place]
            columns[place] = figure if was is None else max(was, figure)
    most = max((column for column in columns if column is not None), default=0.0)
    return "".join(" " if one is None else signs[_height(one, most, len(signs))] for one in columns)


def _height(figure: float, most: float, heights: int) -> int:
    if most <= 0 or figure <= 0:
        return 0
    return min(heights - 1, 1 + int(figure / most * (heights - 1) - 1e-9))
