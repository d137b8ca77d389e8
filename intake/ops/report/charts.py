"""Charts of a report as SVG, lines over time with axes, drawn here. Pure; texts are escaped, nothing has a style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 28
TICKS = 4
LABELS = 6
EDGE = 16
"""A label so near the right end would be cut off there."""


class ChartLine(NamedTuple):
    """One line; None leaves a gap."""

    name: str
    kind: str
    """Its class in the style sheet, `a` to `d`: colour and dashes, since not everyone sees or prints colours."""
    values: Sequence[float | None]


def chart(title: str, moments: Sequence[datetime], lines: Sequence[ChartLine]) -> str:
    """Return an SVG picture with a title for who does not see it; empty where there is nothing to draw."""
    if not moments:
        return ""
    most = max((value for line in lines for value in line.values if value is not None), default=0)
    top = nice(most)
    said = ", ".join(f"{line.name} at most {_most(line):,.0f}" for line in lines)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}: {escape(said)}">',
        *_grid(top),
        *_times(moments),
        *(_drawn(line, moments, top) for line in lines),
        "</svg>",
    ]
    return "".join(parts)


def nice(most: float) -> float:
    """Return the least of 1, 2, 5 times a power of ten that is not below."""
    if most <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most)


def _most(line: ChartLine) -> float:
    return max((value for value in line.values if value is not None), default=0)


def _grid(top: float) -> list[str]:
    parts = []
    for tick in range(TICKS + 1):
        value = top * tick / TICKS
        y = _y(value, top)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,.10g}</text>')
    return parts


def _times(moments: Sequence[datetime]) -> list[str]:
    begin, end = moments[0], moments[-1]
    form = "%H:%M" if (end - begin).total_seconds() < 86_400 else "%d.%m."
    step = max(1, math.ceil(len(moments) / LABELS))
    return [_label(_x(at, moments), at.strftime(form)) for at in moments[::step]]


def _label(x: float, text: str) -> str:
    anchor = "end" if x > WIDTH - RIGHT - EDGE else "middle"
    return f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{text}</text>'


def _drawn(line: ChartLine, moments: Sequence[datetime], top: float) -> str:
    path, pen = [], "M"
    for at, value in zip(moments, line.values, strict=True):
        if value is None:
            pen = "M"
            continue
        path.append(f"{pen}{_x(at, moments):.1f} {_y(value, top):.1f}")
        pen = "L"
    dots = "" if len(path) > 1 else _dot(line, moments, top)
    return f'<path class="line {line.kind}" d="{"".join(path)}"/>{dots}'


def _dot(line: ChartLine, moments: Sequence[datetime], top: float) -> str:
    """Return a dot for a line of one point, which would not be seen."""
    for at, value in zip(moments, line.values, strict=True):
        if value is not None:
            return f'<circle class="dot {line.kind}" cx="{_x(at, moments):.1f}" cy="{_y(value, top):.1f}" r="4"/>'
    return ""


def _x(at: datetime, moments: Sequence[datetime]) -> float:
    whole = (moments[-1] - moments[0]).total_seconds()
    share = (at - moments[0]).total_seconds() / whole if whole else 0.5
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)
