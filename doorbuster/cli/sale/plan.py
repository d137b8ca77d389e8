"""A sale's plan on the command line: read from a file, shown in words, doubted where it is probably not meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from doorbuster.cli.answer import plain
from doorbuster.cli.times import read_time, seconds_until, show_time, span
from doorbuster.contract.sales import SaleRequest
from doorbuster.errors import InvalidError

_SETTABLE = frozenset(SaleRequest.__struct_fields__) - {"prewarm_lead_s"}
TICKS_A_S = 20
"""How often a room looks at its bucket at most: it lets in no more than so many bursts a second."""


def body_from(given: dict[str, Any]) -> dict[str, Any]:
    """Return the body that a file gives: times with their zones, and of what `sale show --json` says what can be set.

    Raises:
        InvalidError: a time is none; its field is named.
    """
    body = {name: value for name, value in given.items() if name in _SETTABLE or "sale_number" not in given}
    for name in ("starts_at", "ends_at"):
        if isinstance(body.get(name), str):
            body[name] = read_time(body[name], name)
    if isinstance(body.get("room"), dict):
        body["room"] = _with_time(body["room"], "lobby_opens_at", "room.lobby_opens_at")
    if isinstance(body.get("timeline"), list):
        body["timeline"] = [
            _with_time(one, "at", f"timeline[{place}].at") if isinstance(one, dict) else one
            for place, one in enumerate(body["timeline"])
        ]
    return body


def _with_time(part: dict[str, Any], name: str, field: str) -> dict[str, Any]:
    return part | {name: read_time(part[name], field)} if isinstance(part.get(name), str) else part


def for_change(body: dict[str, Any], sale_id: str | None, before: dict[str, Any]) -> dict[str, Any]:
    """Return a file's body as a change of its sale: without what never changes, its room as its timeline has it by now.

    Raises:
        InvalidError: it is another sale's, or names what never changes.
    """
    if body.get("sale_id", sale_id) != sale_id:
        raise InvalidError(f"sale_id: the file is of {body['sale_id']!r}, not of {sale_id!r}")
    if body.get("partitions", before["partitions"]) != before["partitions"]:
        raise InvalidError(f"partitions: never change; the sale has {before['partitions']}")
    change = {name: value for name, value in body.items() if name not in ("sale_id", "partitions")}
    if isinstance(room := change.get("room"), dict) and isinstance(timeline := change.get("timeline"), list):
        change["room"] = _by_now(room, timeline)
        if all(before["room"].get(name) == value for name, value in change["room"].items()):
            del change["room"]  # it is so already, and nothing of the plan is to be set by hand
    return change


def _by_now(room: dict[str, Any], timeline: list[Any]) -> dict[str, Any]:
    """Return a room with what the entries of a timeline that have applied made of it."""
    for one in timeline:
        if isinstance(one, dict) and isinstance(one.get("room"), dict) and isinstance(one.get("at"), str):
            room = room | (one["room"] if seconds_until(one["at"]) <= 0 else {})
    return room


def lines(timeline: Iterable[dict[str, Any]]) -> list[str]:
    """Return each entry of a timeline in a line."""
    return [f"{show_time(one['at'])}: {_words(one)}" for one in timeline]


def summary(timeline: list[dict[str, Any]]) -> str:
    """Return a timeline on one line."""
    return "; ".join(lines(timeline)) or "nothing"


def prewarm_words(prewarm: dict[str, Any]) -> str:
    """Return in words what is done ahead of a sale."""
    scale = prewarm["scale"] or {}
    more = "".join(f", {name} {count:,}" for name, count in scale.items() if count is not None)
    checks = ", ".join(span(at) for at in prewarm["checks_at_s"])
    return f"{span(prewarm['lead_s'])} ahead{more}, checks {f'{checks} before' if checks else 'none'}"


def _words(entry: dict[str, Any]) -> str:
    said = [f"phase {entry['phase']}"] if "phase" in entry else []
    said += [
        f"room {name} {'default' if value is None else plain(value)}"
        for name, value in entry.get("room", {}).items()
        if name != "access_codes"
    ]
    return ", ".join(said) or "room access codes"


def doubts(sale: dict[str, Any], *, is_new: bool) -> list[str]:
    """Return what is allowed in a timeline and probably not meant."""
    found, room = [], sale["room"]
    steps: list[tuple[str, dict[str, Any]]] = [("room", room)]
    for place, one in enumerate(sale.get("timeline", [])):
        changed = one.get("room", {})
        room = room | changed
        if changed:
            steps.append((f"timeline[{place}]", room))
        if changed and "mode" not in changed and room.get("mode", "off") == "off":
            found.append(f"timeline[{place}]: the room is off then, whatever else is said of it")
        if is_new and (ago := -seconds_until(one["at"])) > 0:
            found.append(f"timeline[{place}]: its moment was {span(ago)} ago, it has applied")
    for where, terms in steps:
        rate, burst = terms.get("rate_per_s"), terms.get("burst")
        if rate and burst and rate > burst * TICKS_A_S and terms.get("mode", "off") != "off":
            found.append(
                f"{where}: a burst of {burst:,} lets in at most {burst * TICKS_A_S:,} a second, not {rate:,.0f}"
            )
    return found


def overlaps(sale: dict[str, Any], others: Iterable[dict[str, Any]], units: dict[str, int]) -> list[str]:
    """Return which products are allotted to sales of the same time beyond the units there are, by product."""
    mine = {one["product_id"]: one["quantity"] for one in sale["products"] if one["quantity"] is not None}
    together: dict[str, list[tuple[str, int]]] = {}
    for other in others:
        if other["sale_id"] != sale["sale_id"] and _at_once(sale, other):
            for one in other["products"]:
                if one["product_id"] in mine and one["quantity"] is not None:
                    together.setdefault(one["product_id"], []).append((other["sale_id"], one["quantity"]))
    found = []
    for product_id, allotted in together.items():
        whole = mine[product_id] + sum(quantity for _, quantity in allotted)
        if product_id in units and whole > units[product_id]:
            named = ", ".join(plain(sale_id) for sale_id, _ in allotted[:5])
            found.append(
                f"{plain(product_id)}: with {named}, on sale at the same time, {whole:,} are allotted of its "
                f"{units[product_id]:,} units"
            )
    return found


def _at_once(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two sales are open at the same time, and not over."""
    if any(sale["effective_phase"] in ("closed", "ended", "drain") for sale in (one, other)):
        return False
    return all(
        first["ends_at"] is None or seconds_until(first["ends_at"]) > seconds_until(second["starts_at"])
        for first, second in ((one, other), (other, one))
    )
