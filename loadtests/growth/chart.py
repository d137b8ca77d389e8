"""Draws panels of stacked bars as SVG, by hand: no library draws six of them in so few words. Owns the drawing alone.

Every panel has the same scale, so that what is flat looks flat, and a taller bar costs more wherever it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

COLOURS = ("#3366aa", "#cc6633", "#339966", "#8855aa", "#999999")
WIDTH, HEIGHT = 300, 170
"""Of a panel's bars."""
_LEFT, _TOP, _BELOW, _ACROSS = 48, 40, 44, 3
_FONT = 'font-family="sans-serif" font-size="12"'


class Bar(NamedTuple):
    """A value and what it is made of."""

    label: str
    parts: dict[str, float]


class Panel(NamedTuple):
    """Bars side by side."""

    title: str
    bars: list[Bar]


def short(value: int) -> str:
    """Return a number in few characters."""
    for unit, name in ((10**6, "M"), (10**3, "k")):
        if value >= unit and value % unit == 0:
            return f"{value // unit}{name}"
    return f"{value:,}"


def draw(panels: Sequence[Panel], parts: Sequence[str]) -> str:
    """Return the chart; a part below nothing, which noise makes, is drawn as nothing."""
    most = max((_height(bar) for panel in panels for bar in panel.bars), default=0.0)
    step = _step(most)
    top = step * (int(most / step) + 1)
    across = min(len(panels), _ACROSS)
    wide, high = _LEFT + WIDTH + 16, _TOP + HEIGHT + _BELOW
    rows = -(-len(panels) // across)
    size = (across * wide + 16, rows * high + 34)
    said = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" role="img">',
        "<title>Microseconds of processor an order, by what grows</title>",
        f'<rect width="{size[0]}" height="{size[1]}" fill="#ffffff"/>',
        *_legend(parts, rows * high + 10),
    ]
    for place, panel in enumerate(panels):
        at = (place % across) * wide, (place // across) * high
        said += [f'<g transform="translate({at[0]} {at[1]})" {_FONT}>', *_panel(panel, parts, top, step), "</g>"]
    return "\n".join([*said, "</svg>", ""])


def _panel(panel: Panel, parts: Sequence[str], top: float, step: float) -> list[str]:
    said = [f'<text x="{_LEFT}" y="24" font-weight="bold">{escape(panel.title)}</text>']
    for line in range(int(top / step) + 1):
        y = _TOP + HEIGHT * (1 - line * step / top)
        said.append(f'<line x1="{_LEFT}" x2="{_LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        said.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555555">{line * step:g}</text>')
    slot = WIDTH / max(len(panel.bars), 1)
    for place, bar in enumerate(panel.bars):
        x, base = _LEFT + slot * (place + 0.2), float(_TOP + HEIGHT)
        middle = x + slot * 0.3
        for name, colour in zip(parts, COLOURS, strict=False):
            tall = max(bar.parts.get(name, 0.0), 0.0) / top * HEIGHT
            base -= tall
            said.append(
                f'<rect x="{x:.1f}" y="{base:.1f}" width="{slot * 0.6:.1f}" height="{tall:.1f}" fill="{colour}"/>'
            )
        whole = _height(bar)
        said.append(f'<text x="{middle:.1f}" y="{base - 5:.1f}" text-anchor="middle">{whole:.0f}</text>')
        below = _TOP + HEIGHT + 18
        said.append(f'<text x="{middle:.1f}" y="{below}" text-anchor="middle">{escape(bar.label)}</text>')
    return said


def _legend(parts: Sequence[str], y: int) -> list[str]:
    said = [f'<g {_FONT}><text x="{_LEFT}" y="{y}">microseconds of processor an order:</text>']
    x = _LEFT + 230
    for name, colour in zip(parts, COLOURS, strict=False):
        said.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        said.append(f'<text x="{x + 18}" y="{y}">{escape(name)}</text>')
        x += 40 + 8 * len(name)
    return [*said, "</g>"]


def _height(bar: Bar) -> float:
    return sum(max(part, 0.0) for part in bar.parts.values())


def _step(most: float) -> float:
    """Return a round distance of lines, five or fewer of them up to the most."""
    step = 10.0
    while most / step > 5:
        step *= 2.5 if str(step).startswith("2") else 2
    return step
