"""The screen of several watched sales: a line each. Pure: from what is known to lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doorbuster.cli.answer import plain
from doorbuster.cli.times import span
from doorbuster.cli.watch import words
from doorbuster.cli.watch.cells import Line, Piece, fit
from doorbuster.cli.watch.track import unix_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doorbuster.cli.watch.screen import Screen
    from doorbuster.cli.watch.track import Track

_COLUMNS = (("waiting", 10), ("in/s", 7), ("taken/s", 8), ("paid/s", 7), ("behind", 9), ("left", 9))


def overview(tracks: Sequence[Track], screen: Screen) -> list[Line]:
    """Return a line a sale, and below it what wants somebody there."""
    wide = max(screen.width - sum(width for _, width in _COLUMNS) - 11, 8)
    head = f"{fit('sale', wide)}{'':11}" + "".join(f"{name:>{width}}" for name, width in _COLUMNS)
    lines: list[Line] = [[Piece(f"{len(tracks)} sales", "bold"), Piece(f"  {screen.clock}")], [Piece(head, "dim")]]
    for track in tracks:
        lines += _lines(track, screen, wide)
    if len(lines) <= screen.height:
        return lines
    return [*lines[: screen.height - 1], [Piece(f"and {len(lines) - screen.height + 1} more lines", "dim")]]


def _lines(track: Track, screen: Screen, wide: int) -> list[Line]:
    view, silent_s = track.view, track.silent_s(screen.now_s)
    name = Piece(fit(plain(track.sale_id), wide - 1) + " ", "bold")
    lines: list[Line] = []
    if view is None:
        lines.append([name, Piece("no answer yet")])
    else:
        figures = (
            words.number(view["waiting"]), words.number(view["admitted_per_s"]), words.number(view["accepted_per_s"]),
            words.number(view["confirmed_per_s"]), words.seconds(view["backlog_s"]),
            words.number(words.units_left(view)),
        )  # fmt: skip
        cells = "".join(f"{said:>{width}}" for said, (_, width) in zip(figures, _COLUMNS, strict=True))
        starts_s = unix_s(view["starts_at"])
        state = f"in {span(starts_s - screen.now_s)}" if screen.now_s < starts_s else view["phase"]
        lines.append([name, Piece(fit(state, 11)), Piece(cells, "dim" if silent_s is not None else "")])
        lines += [[Piece(f"   !! {plain(one['name'])}: {plain(one['summary'])}", "red")] for one in view["alerts"]]
        lines += [[Piece(f"   !  {plain(text)}", "yellow")] for text in view["troubles"]]
    if silent_s is not None:
        lines.append([Piece(f"   !! no answer since {span(silent_s)}: {plain(track.error)}", "red")])
    return lines
