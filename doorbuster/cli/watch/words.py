"""The words and figures of a watched sale, as people read them. Pure: from the API's JSON to text."""

from __future__ import annotations

from typing import Any

from doorbuster.cli.answer import plain
from doorbuster.cli.times import span

_PHASES = {
    "scheduled": "not open yet", "open": "OPEN", "hold": "ON HOLD", "drain": "DRAINING", "ended": "ended",
    "closed": "closed",
}  # fmt: skip


def number(figure: float | None) -> str:
    """Return a figure as short as it may be: `1,234`, `12.3`, `-` where nobody knows."""
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:,.1f}".removesuffix(".0")


def seconds(figure: float | None) -> str:
    """Return an age: `3.2 s`, `4 min 10 s`."""
    if figure is None:
        return "-"
    return f"{figure:.1f} s" if figure < 60 else span(figure)


def phase(view: dict[str, Any], now_s: float, starts_s: float, ends_s: float | None) -> str:
    """Return how the sale stands: `OPEN, ends in 48 min 2 s`."""
    said = _PHASES[view["phase"]]
    if now_s < starts_s:
        return f"{said}, starts in {span(starts_s - now_s)}"
    if ends_s is not None and view["phase"] not in ("closed",):
        return f"{said}, {'ends in' if now_s < ends_s else 'ended'} {span(ends_s - now_s)}" + (
            "" if now_s < ends_s else " ago"
        )
    return f"{said} for {span(now_s - starts_s)}" if view["phase"] == "open" else said


def verdict(view: dict[str, Any]) -> tuple[str, str]:
    """Return what the newest pre-warm said, and how it is marked."""
    if view["go"] is None:
        return "not pre-warmed", ""
    if view["go"]:
        return "GO", "green"
    failed = "; ".join(f"{one['check']}: {one['reason']}" for one in view["no_go"])
    return plain(f"NO-GO {failed}".strip()), "red"


def refusals(view: dict[str, Any]) -> str:
    """Return what was refused within the last minute, most often first."""
    found = view["refusals"]
    if found is None:
        return "-"
    ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{plain(code)} {count:,}" for code, count in ordered) or "none"


def payments(view: dict[str, Any]) -> tuple[str, str]:
    """Return how payments go, and how that is marked."""
    found = view["payments"]
    if found is None:
        return "-", ""
    told = f"{found['due']:,} due, {found['failing']:,} failing"
    if paused := found.get("paused"):
        words = {"down": "the provider is DOWN, left alone", "rate_limited": "the provider takes no more for now"}
        return f"! {words.get(paused, plain(paused))}; {told}", "red"
    return (f"! {told}", "yellow") if found["failing"] else (told, "")


def units_left(view: dict[str, Any]) -> int | None:
    """Return how many units the sale can still sell in all."""
    return None if view["stock"] is None else sum(max(units, 0) for units in view["stock"].values())


def stock(view: dict[str, Any]) -> tuple[str, str]:
    """Return what is left to sell in all, and which products are sold out, and how that is marked."""
    products, left = view["products"], units_left(view)
    if products is None or left is None:
        return "-", ""
    gone = [plain(one["product_id"]) for one in products if one["left"] is not None and one["left"] <= 0]
    count = len(products) + view["products_left_out"]
    told = f"{number(left)} units of {count:,} product{'s' * (count != 1)}"
    return (f"{told}; SOLD OUT: {', '.join(gone)}", "yellow") if gone else (told, "")


def one_line(view: dict[str, Any]) -> str:
    """Return a sale in one line."""
    room = view["room"]
    told = [
        plain(view["sale_id"]),
        view["phase"],
        f"waiting {number(view['waiting'])}",
        f"admitted/s {number(view['admitted_per_s'])}",
        f"accepted/s {number(view['accepted_per_s'])}",
        f"confirmed/s {number(view['confirmed_per_s'])}",
        f"backlog {number(view['backlog'])} ({seconds(view['backlog_s'])})",
        f"left {number(units_left(view))}",
        f"payments failing {number(view['payments_failing'])}",
        f"room {number(room['rate_per_s'])}/s ({room['why']})",
        verdict(view)[0],
    ]
    told += [f"ALERT {plain(one['name'])}" for one in view["alerts"]]
    told += [f"trouble: {plain(text)}" for text in view["troubles"]]
    return "  ".join(told)
