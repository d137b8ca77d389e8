"""The screen of one watched sale, in as many lines and cells as there are. Pure: from what is known to lines of text.

What matters most stands first: a small screen leaves out from below. Colours say nothing that words do not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from doorbuster.cli.answer import plain
from doorbuster.cli.times import span
from doorbuster.cli.watch import words
from doorbuster.cli.watch.cells import Line, Piece, fit, width_of, wrap
from doorbuster.cli.watch.sparkline import BLOCKS, span_of, sparkline
from doorbuster.cli.watch.track import unix_s

if TYPE_CHECKING:
    from doorbuster.cli.watch.track import Track

LABEL, FIGURE = 17, 12
ALERTS_MAX = 4
STOCK_LEAST = 3
"""Lines for which a table of products is worth while."""
_SPANS = {60: "last minute", 300: "last 5 minutes", 900: "last 15 minutes"}
_ROWS = (
    ("waiting", "waiting"),
    ("admitted/s", "admitted_per_s"),
    ("accepted/s", "accepted_per_s"),
    ("confirmed/s", "confirmed_per_s"),
    ("backlog, orders", "backlog"),
    ("backlog, age", "backlog_s"),
    ("room's rate/s", "rate_per_s"),
)


class Screen(NamedTuple):
    """What there is to draw on."""

    width: int
    height: int
    now_s: float
    """Unix seconds."""
    clock: str
    signs: str = BLOCKS
    """Of bars, from nought to the most."""


def draw(track: Track, screen: Screen) -> list[Line]:
    """Return a sale's screen."""
    lines = [*_head(track, screen), *_silence(track, screen)]
    if track.view is None:
        return lines[: screen.height]
    view = track.view
    lines += [*_alarms(view, screen), *_figures(track, screen), *_room(view, screen), *_facts(view, screen)]
    lines += _stock(view, screen, screen.height - len(lines))
    shown = lines[: screen.height]
    return [shown[0], *map(_dimmed, shown[1:])] if track.silent_s(screen.now_s) is not None else shown


def _head(track: Track, screen: Screen) -> list[Line]:
    view = track.view
    title, state = plain(track.sale_id), "no answer yet"
    if view is not None:
        title = f"{title}  {plain(view['name'])}" if view["name"] and view["name"] != track.sale_id else title
        ends_s = None if view["ends_at"] is None else unix_s(view["ends_at"])
        state = words.phase(view, screen.now_s, unix_s(view["starts_at"]), ends_s)
    left = screen.width - width_of(screen.clock) - width_of(state) - 4
    return [[Piece(fit(title, max(left, 8)), "bold"), Piece("  "), Piece(state, "bold"), Piece(f"  {screen.clock}")]]


def _silence(track: Track, screen: Screen) -> list[Line]:
    silent_s = track.silent_s(screen.now_s)
    if silent_s is None:
        return []
    shown = "" if track.view is None else " (figures are those of then)"
    lines = wrap(f"!! no answer since {span(silent_s)}{shown}: {plain(track.error)}", screen.width, 2)
    return [[Piece(line, "red")] for line in lines]


def _alarms(view: dict[str, Any], screen: Screen) -> list[Line]:
    """Return what wants somebody: alerts, stores that are away, a no-go."""
    verdict, mark = words.verdict(view)
    texts = [
        ("red", f"!! {plain(one['name'])}{_since(one, screen)}: {plain(one['summary'])}") for one in view["alerts"]
    ]
    texts += [("yellow", f"!  {plain(text)}") for text in view["troubles"]]
    if view["go"] is False and view["phase"] in ("scheduled", "open"):
        texts.append((mark, f"!! {verdict}"))
    lines = [[Piece(line, mark)] for mark, text in texts for line in wrap(text, screen.width, 2)]
    more = len(lines) - 2 * ALERTS_MAX
    return lines if more <= 0 else [*lines[: 2 * ALERTS_MAX], [Piece(f"   and {more} more lines", "red")]]


def _since(alert: dict[str, Any], screen: Screen) -> str:
    return "" if alert["since"] is None else f" for {span(screen.now_s - unix_s(alert['since']))}"


def _figures(track: Track, screen: Screen) -> list[Line]:
    """Return a line a figure: what it is now, how it went, and the most of that."""
    assert track.view is not None
    view = track.view
    now = {name: view[name] for _, name in _ROWS[:-1]} | {"rate_per_s": view["room"]["rate_per_s"]}
    wide = screen.width - LABEL - FIGURE - 10
    spans = span_of(track.figures("accepted_per_s"), screen.now_s)
    over = f"  {fit(_SPANS[spans], wide)}{'most':>8}" if wide >= 0 else ""
    head = [Piece(f"{'':{LABEL}}{'now':>{FIGURE}}{over}", "dim")]
    lines: list[Line] = [head]
    for label, name in _ROWS:
        if view["room"]["why"] == "off" and name in ("waiting", "admitted_per_s", "rate_per_s"):
            continue
        past = track.figures(name)
        most = max((one for at_s, one in past if one is not None and screen.now_s - at_s <= spans), default=None)
        line = sparkline(past, screen.now_s, max(wide, 0), span_s=spans, signs=screen.signs)
        shown = words.seconds(now[name]) if name == "backlog_s" else words.number(now[name])
        peak = words.seconds(most) if name == "backlog_s" else words.number(most)
        past_line = [Piece(f"  {fit(line, wide)}"), Piece(f"{peak:>8}", "dim")] if wide >= 0 else []
        lines.append([Piece(f"{label:{LABEL}}"), Piece(f"{shown:>{FIGURE}}", "bold"), *past_line])
    return lines


def _room(view: dict[str, Any], screen: Screen) -> list[Line]:
    room = view["room"]
    if room["why"] == "off":
        return []
    slowed = room["why"] not in ("set", "net_off", "not_open", "lobby", "over")
    mark = "yellow" if slowed else ""
    lines = wrap(f"{'! ' if slowed else ''}{plain(room['reason'])}", screen.width - LABEL, 2)
    told: list[Line] = [
        [Piece(f"{'room' if place == 0 else '':{LABEL}}"), Piece(line, mark)] for place, line in enumerate(lines)
    ]
    inside = f"{words.number(view['called'])} called, {words.number(view['active'])} admissions out"
    return [*told, [Piece(f"{'inside':{LABEL}}"), Piece(inside)]]


def _facts(view: dict[str, Any], screen: Screen) -> list[Line]:
    payments, payments_mark = words.payments(view)
    verdict, verdict_mark = words.verdict(view)
    wide = screen.width - LABEL
    rows = [
        ("left to sell", *words.stock(view)),
        ("payments", payments, payments_mark),
        ("refused, 1 min", words.refusals(view), ""),
    ]
    if view["go"] is not False:
        rows.append(("pre-warm", verdict, verdict_mark))
    return [
        [Piece(f"{label if place == 0 else '':{LABEL}}"), Piece(line, mark)]
        for label, text, mark in rows
        for place, line in enumerate(wrap(text, wide, 2))
    ]


def _stock(view: dict[str, Any], screen: Screen, most: int) -> list[Line]:
    """Return what is left of each product, in so many lines at most; those with the fewest units left come first."""
    products = view["products"]
    if products is None or most < STOCK_LEAST:
        return []
    shown = sorted(products, key=lambda one: (one["left"] or 0, one["product_id"]))
    wide = screen.width - 3 * 11
    head = [Piece(f"{fit('product', wide)}{'left':>11}{'reserved':>11}{'sold':>11}", "dim")]
    rows: list[Line] = []
    for one in shown:
        named = plain(one["product_id"])
        name = named if one["name"] == one["product_id"] else f"{named}  {plain(one['name'])}"
        gone = one["left"] is not None and one["left"] <= 0
        left = "SOLD OUT" if gone else words.number(one["left"])
        rows.append(
            [Piece(fit(name, wide)), Piece(f"{left:>11}", "red" if gone else "bold"),
             Piece(f"{words.number(one['reserved']):>11}{words.number(one['sold']):>11}")]
        )  # fmt: skip
    hidden = view["products_left_out"]
    room = most - 1
    if len(rows) > room or hidden:
        kept = max(room - 1, 0)
        hidden += max(len(rows) - kept, 0)
        rows = [*rows[:kept], [Piece(f"and {hidden:,} more products", "dim")]]
    return [head, *rows][: max(most, 0)]


def _dimmed(line: Line) -> Line:
    """Return a line of figures that are old; what is marked as wrong stays so."""
    return [
        piece if piece.mark == "red" and piece.text.startswith("!!") else Piece(piece.text, "dim") for piece in line
    ]
